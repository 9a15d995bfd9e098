import {byPrefix, looksLikeId} from '../../restore/choose.ts';
import {listRemote}            from '../../store/index.ts';
import type {SessionStore}     from '../../store/index.ts';
import {safe}                  from '../../terminal/safe.ts';
import {CommandError}          from '../Base.ts';

/** Candidates that are named where a beginning means several. */
const NAMED = 20;

/**
 * The whole ids that these beginnings mean among what a remote has; `archived`: also in its archives. Throws
 * BAD_SESSION_ID, UNKNOWN_SESSION, AMBIGUOUS_SESSION.
 */
export async function wholeIds(store: SessionStore, remote: string, given: Array<string>, {archived = false}: {archived?: boolean} = {}): Promise<Array<string>> {
  const wrong = given.find(one => !looksLikeId(one));
  if (wrong !== undefined)
    throw new CommandError(`BAD_SESSION_ID`, `${safe(wrong)} is no session id, nor the beginning of one.`);

  const listing = await listRemote(store.repo, store.env, remote, {archived});
  const known   = [...new Map([...listing.archived, ...listing.states].map(({session, header}) => [session, {session, title: header?.title ?? ``}])).values()];
  return given.map(one => {
    const candidates = byPrefix(known, one);
    if (candidates.length === 0)
      throw new CommandError(`UNKNOWN_SESSION`, `${safe(remote)} has no session whose id begins with ${safe(one)}: \`session-sync list --remote\` shows what it has.`);
    if (candidates.length > 1)
      throw new CommandError(`AMBIGUOUS_SESSION`, `${safe(one)} begins several ids:\n${candidates.slice(0, NAMED).map(({session, title}) => `  ${session}  ${safe(title, {width: 60})}`).join(`\n`)}${candidates.length > NAMED ? `\n  and ${candidates.length - NAMED} more` : ``}`);
    return candidates[0]!.session;
  });
}
