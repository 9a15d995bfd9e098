import {amp}               from './amp/index.ts';
import {claudeCode}        from './claude-code/index.ts';
import {cline}             from './cline/index.ts';
import {codex}             from './codex/index.ts';
import {copilot}           from './copilot/index.ts';
import {gemini}            from './gemini/index.ts';
import {kilo}              from './kilo/index.ts';
import {kimi}              from './kimi/index.ts';
import {opencode}          from './opencode/index.ts';
import {pi}                from './pi/index.ts';
import {qwen}              from './qwen/index.ts';
import type {AgentAdapter} from './types.ts';

/** Every agent that the program knows; the one place where they are named. */
export const agents: Array<AgentAdapter> = [
  claudeCode,
  codex,
  opencode,
  gemini,
  qwen,
  copilot,
  pi,
  kilo,
  cline,
  kimi,
  amp,
];

export function agentById(id: string): AgentAdapter | undefined {
  return agents.find(agent => agent.id === id);
}

export * from './types.ts';
