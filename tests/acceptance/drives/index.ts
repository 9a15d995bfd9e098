import {haveAgents}       from '../../agents.mjs';

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

/** Are all the programs here? Where they are demanded, that they are not is an error. */
export function programsAreHere(): boolean {
  if (haveAgents(drives.map(drive => drive.program)))
    return true;
  if (process.env.SESSION_SYNC_DEMAND_AGENTS)
    throw new Error(`not all agents are in .agents/`);
  process.stderr.write(`these tests need all agents: \`npm run test:agents\`\n`);
  return false;
}

export * from './_drive.ts';
