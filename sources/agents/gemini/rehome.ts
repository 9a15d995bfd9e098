import {lstat, realpath}                from 'node:fs/promises';
import path                             from 'node:path';

import type {RehomeAdapter, RehomeStep} from '../types.ts';

import {files}                          from './locate.ts';
import {chatsOf, claim, slugFor, storeOf} from './places.ts';

/** Gemini CLI has a folder for each project, and looks for sessions in no other; what they say of theirs does not count (0.61.0). */
export const rehome: RehomeAdapter = {
  async plan(machine, session, to) {
    const project = await realpath(to).catch(() => to);
    const chats = chatsOf(storeOf(machine), await slugFor(machine, project));
    const main = (await files(session)).find(({stream}) => stream === `main`)?.path ?? session.path;
    const target = path.join(chats, path.basename(main));
    if (path.dirname(main) === chats)
      return {path: main, steps: []};

    const outputs = path.join(`tool-outputs`, `session-${session.nativeId.replace(/[^a-zA-Z0-9_-]/g, `_`)}`);
    const [from, into] = [path.dirname(path.dirname(main)), path.dirname(chats)];
    const steps: Array<RehomeStep> = [];
    for (const beside of [outputs, path.join(`chats`, session.nativeId)])
      if (await lstat(path.join(from, beside)).then(info => info.isDirectory(), () => false))
        steps.push({do: `move`, from: path.join(from, beside), to: path.join(into, beside)});
    steps.push({do: `move`, from: main, to: target});
    return {path: target, steps};
  },

  /** The folder is the project's only when a marker in it says so. */
  async settle(machine, {path: file}, to) {
    const project = await realpath(to).catch(() => to);
    const slug = path.basename(path.dirname(path.dirname(file)));
    return await claim(machine, slug, project).catch(() => false) ? undefined : `${path.dirname(path.dirname(file))} belongs to another project`;
  },
};
