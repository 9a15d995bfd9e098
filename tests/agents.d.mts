export type AgentProgram = `claude` | `codex` | `opencode` | `gemini` | `qwen` | `copilot` | `pi` | `kilo` | `cline` | `kimi` | `amp`;
export declare const agentsFolder: string;
export declare const agentsBin: string;
export declare const agents: {[name in AgentProgram]: {package: string; version: string; program?: string; script?: string; node?: number; bare?: boolean}};
export declare function agentPath(name: AgentProgram): string | null;
export declare function haveAgents(names?: Array<AgentProgram>): boolean;
export declare function fetchAgents(names?: Array<AgentProgram>): Array<string>;
