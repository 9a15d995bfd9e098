import {journalPath}                    from '../../system/journal.ts';
import {TranscriptWriter}               from '../families/claudeTranscript/write.ts';
import type {AgentAdapter}              from '../types.ts';

import {PROVEN, detect, present}        from './detect.ts';
import {fetchThread, files, locate}     from './locate.ts';
import {AGENT, mirrorId}                from './places.ts';
import {openReader}                     from './read.ts';
import {refresh}                        from './thread.ts';
import {register}                       from './upload.ts';

/** Version of Claude Code whose transcripts Amp's importer was tried with. */
const CARRIER = `2.1.330`;

export const amp: AgentAdapter = {
  id: AGENT,
  name: `Amp`,
  proven: PROVEN,
  support: {
    source: `\`import\` of a thread, old local threads`,
    target: `\`restore --agent amp\` uploads it, after a question; else a document`,
    kept: `prompts, answers, calls and outputs under Amp's own names, thinking of Claude, images`,
    reduced: `can be read by a new thread, is not replayed; a call without a result counts as cancelled`,
    dropped: `steps of sub-agents, context notes`,
  },
  detect,
  present,
  source: {
    locate,
    refresh,
    fetch: fetchThread,
    // Amp tells nobody of what it does: its plugins run in its terminal only, and its threads lie elsewhere.
    fromEvent: () => null,
    files,
    openReader,
    roots: () => ({}),
  },
  target: {
    consent: `Amp keeps threads on its own servers: this uploads the session, not redacted, with your login, as a private thread. Go on?`,
    mirrorId,
    prepare: async () => null,
    pathOf: (machine, {id}) => journalPath(machine, AGENT, `out`, id),
    openWriter: (writing, state) => new TranscriptWriter(writing, {version: CARRIER, own: `claude-code`, midTurn: `prompt`, bookkeeping: false, plain: true}, state),
    // The journal is nobody's but ours.
    judge: () => `continued`,
    exclusively: async (_machine, _id, write) => await write(),
    register,
    resumeCommand: () => `amp`,
  },
};
