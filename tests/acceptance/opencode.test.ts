import {familyTests}                                from './_opencodeFamily.ts';
import {opencodeDrive, opencodeIsHere, opencodeProgram} from './drives/opencode.ts';

familyTests(`OpenCode`, opencodeProgram, opencodeDrive, {isHere: opencodeIsHere, fixtures: [`01-tools-subagent-mcp`, `03-interrupted-denied-hooks`, `05-queued-prompt-midturn`]});
