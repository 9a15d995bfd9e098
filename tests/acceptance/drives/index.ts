import type {Drive}       from './_drive.ts';
import {claudeCodeDrive} from './claude-code.ts';
import {clineDrive}      from './cline.ts';
import {codexDrive}      from './codex.ts';
import {copilotDrive}    from './copilot.ts';
import {geminiDrive}     from './gemini.ts';
import {kiloDrive}       from './kilo.ts';
import {kimiDrive}       from './kimi.ts';
import {opencodeDrive}   from './opencode.ts';
import {piDrive}         from './pi.ts';
import {qwenDrive}       from './qwen.ts';

/** Every agent that the acceptance tests can drive; Amp has no model on this machine, and tests of its own. */
export const drives: Array<Drive> = [
  claudeCodeDrive, codexDrive, opencodeDrive, geminiDrive, qwenDrive, copilotDrive, piDrive, kiloDrive, kimiDrive, clineDrive,
];

export * from './_drive.ts';
