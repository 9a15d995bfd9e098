import {stripControl}                  from './git.ts';
import type {CommitMeta, StoredHeader} from './types.ts';

/** Subject, title and trailers: `git log` over a session's ref tells its story. */
export function commitMessage(header: StoredHeader, meta: CommitMeta) {
  const records = Object.entries(header.streams).reduce((sum, [name, state]) => sum + (name.startsWith(`rec/`) ? state.records ?? 0 : 0), 0);
  const title   = line(header.title ?? ``, 200);

  return [
    `${header.agent.id} session ${header.session.slice(0, 8)}: ${records} ${records === 1 ? `record` : `records`}`,
    ``,
    ...title ? [title, ``] : [],
    `Session: ${header.session}`,
    `Agent: ${line([header.agent.id, header.agent.version ?? ``].join(` `), 200)}`,
    ...meta.git.branch ? [`Branch: ${line(meta.git.branch, 500)}`] : [],
    ...meta.git.commit ? [`Commit: ${line(meta.git.commit, 100)}`] : [],
    `Dirty: ${meta.git.dirty ? `yes` : `no`}`,
    `Records: ${records}`,
    ``,
  ].join(`\n`);
}

/** `name <email>` as git takes it: neither is ever empty, and nothing in it ends it early. */
export function person({name, email}: {name: string; email: string}) {
  const plain = (text: string) => line(text.replace(/[<>]/g, ` `), 200);
  return `${plain(name) || `unknown`} <${plain(email).replace(/ /g, ``) || `unknown@localhost`}>`;
}

function line(text: string, limit: number) {
  // An unpaired surrogate has no bytes of its own.
  return stripControl(text).replace(/[\ud800-\udfff]/gu, `�`).replace(/\s+/g, ` `).trim().slice(0, limit).replace(/[\ud800-\udbff]$/, ``);
}
