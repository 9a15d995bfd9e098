import type {AgentProgram}     from '../../agents.mjs';
import type {Heard}            from '../_heard.ts';
import type {Turn}             from '../_model.ts';
import type {Machine}          from '../_world.ts';

/** How a test drives one real agent, offline. One file an agent beside this one; `drives/index.ts` lists them. */
export type Drive = {
  /** Id of the adapter. */
  agent: string;
  /** Its program, as `tests/agents.mjs` fetches it. */
  program: AgentProgram;
  /** It shortens a history of more (short) turns than this by itself, whoever wrote it. Absent: 2,000 go through. */
  mostTurns?: number;
  /** Folders below the home that hold everything the agent writes; `receives` and `title` run on copies of them. */
  stores: Array<string>;
  /** As on a machine in use: a provider that points to 127.0.0.1, no updates, no telemetry, the project trusted. */
  setUp(machine: Machine): Promise<void>;
  /**
   * What the real agent tells its model when the session is resumed with the command that we print and one more prompt:
   * the history without that prompt and without what the agent makes afresh on each start. Changes nothing in the store.
   * Rejects, with the program's output, when it refuses the session or begins a fresh one.
   */
  receives(machine: Machine, id: string, cwd?: string): Promise<Array<Heard>>;
  /** Title under which the real agent lists the session for the project; null when it does not list it. Changes nothing. */
  title(machine: Machine, id: string, cwd?: string): Promise<string | null>;
  /** The real agent goes on with a session for real, against a scripted model. */
  goOn(machine: Machine, id: string, prompt: string, turns: Array<Turn>, cwd?: string): Promise<void>;
  /** The real agent begins a session against a scripted model; resolves to its id. Absent for agents that are no source. */
  begin?(machine: Machine, prompt: string, turns: Array<Turn>, cwd?: string): Promise<string>;
  /** Names of recorded sessions below `tests/fixtures/<agent>/`, the richest first. Empty for agents that are no source. */
  fixtures: Array<string>;
  /**
   * Puts a recorded session (recorded in `/home/alice/shop`) into the machine's store as if it had been recorded in its
   * project; resolves to the agent's id of it.
   */
  place?(machine: Machine, name: string): Promise<string>;
};
