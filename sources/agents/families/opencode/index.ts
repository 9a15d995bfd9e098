import type {AgentAdapter, Support}   from '../../types.ts';
import {journalPath}                  from '../../../system/journal.ts';

import {detect, present}              from './detect.ts';
import {fromEvent}                    from './events.ts';
import {sessionId}                    from './ids.ts';
import {files, locate, ownership, refresh, roots} from './locate.ts';
import {hooksFor}                     from './plugin.ts';
import {openReader}                   from './read.ts';
import {register, resume, withdraw}   from './register.ts';
import {rehomeFor}                    from './rehome.ts';
import {prepare}                      from './settings.ts';
import type {Variant}                 from './variant.ts';
import {JournalWriter}                from './write.ts';

export type {Variant} from './variant.ts';

const SUPPORT: Support = {
  source: `database, live through a plugin`,
  target: `live mirror, restore (through its own \`import\`)`,
  kept: `prompts, answers, calls and outputs at any length, images, compactions, title; tools as its own (\`bash\`, \`edit\`, \`read\` …)`,
  reduced: `thinking is sent by few providers; notes and interruptions stand as hidden texts`,
  dropped: `steps of sub-agents (their report is kept)`,
};

/** Everything of an agent that runs OpenCode's code. */
export function openCodeFamily(variant: Variant): AgentAdapter {
  return {
    id: variant.id,
    name: variant.name,
    proven: variant.proven,
    support: SUPPORT,
    detect: machine => detect(machine, variant),
    present: machine => present(machine, variant),
    source: {
      locate: (machine, folders) => locate(machine, variant, folders),
      refresh: (machine, session) => refresh(machine, variant, session),
      fromEvent: (machine, event) => fromEvent(machine, variant, event),
      ownership: (machine, session) => ownership(machine, variant, session),
      files,
      openReader,
      roots: (_, machine) => roots(machine, variant),
    },
    target: {
      mirrorId: (session, generation) => sessionId(`mirror`, session, variant.id, generation),
      prepare: machine => prepare(machine, variant),
      pathOf: (machine, {id}) => journalPath(machine, variant.id, `out`, id),
      openWriter: (target, state) => new JournalWriter(target, state),
      // Nobody but us writes into a journal of ours; what stands there after our own is of another time.
      judge: tail => tail.trim() === `` ? `opened` : `continued`,
      exclusively: (_machine, _id, write) => write(),
      register: (machine, session) => register(machine, variant, session),
      withdraw: (machine, session) => withdraw(machine, variant, session),
      resumeCommand: id => resume(variant, id),
    },
    rehome: rehomeFor(variant),
    hooks: hooksFor(variant),
  };
}
