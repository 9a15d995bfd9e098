import {claudeCode}        from './claude-code/index.ts';
import {codex}             from './codex/index.ts';
import type {AgentAdapter} from './types.ts';

/** Every agent that the program knows; the one place where they are named. */
export const agents: Array<AgentAdapter> = [
  claudeCode,
  codex,
];

export function agentById(id: string): AgentAdapter | undefined {
  return agents.find(agent => agent.id === id);
}

export * from './types.ts';
