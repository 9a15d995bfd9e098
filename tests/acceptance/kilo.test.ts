import {familyTests}                    from './_opencodeFamily.ts';
import {kiloDrive, kiloIsHere, kiloProgram} from './drives/kilo.ts';

familyTests(`Kilo CLI`, kiloProgram, kiloDrive, {isHere: kiloIsHere, fixtures: [`01-tools-subagent-mcp`]});
