export declare const agentsFolder: string;
export declare const agentsBin: string;
export declare const agents: {[name in `claude` | `codex`]: {package: string; version: string; program: string}};
export declare function agentPath(name: `claude` | `codex`): string | null;
export declare function haveAgents(): boolean;
export declare function fetchAgents(): Array<string>;
