import {Command, Option}              from 'clipanion';
import process                        from 'node:process';
import {setTimeout as sleep}          from 'node:timers/promises';
import * as t                         from 'typanion';

import {isPaused}                     from '../sync/project.ts';

import {BaseCommand}                  from './Base.ts';
import {syncProject}                  from './support/syncProject.ts';

export class WatchCommand extends BaseCommand {
  static override paths = [[`watch`]];

  static override usage = Command.Usage({
    category: `Keeping sessions`,
    description: `keep everything in step without hooks, until it is stopped`,
    details: `
      Looks every few seconds (\`--interval\`, default 3) for sessions of this project that have changed, of every agent on
      this machine, and does what \`session-sync sync\` does. For agents that have no hooks, or where you do not want any.
      Between two looks nothing is held: hooks and other commands work beside it. Ends with Ctrl-C.
    `,
    examples: [[`In a terminal beside your agents`, `$0 watch`], [`A little slower`, `$0 watch --interval 10`]],
  });

  interval = Option.String(`--interval`, `3`, {description: `Seconds between two looks`, validator: t.cascade(t.isNumber(), [t.isInInclusiveRange(1, 3600)])});
  once = Option.Boolean(`--once`, false, {hidden: true});

  async run() {
    const project = await this.activeProject();
    const stopping = new AbortController();
    const stop = () => stopping.abort();
    for (const signal of [`SIGINT`, `SIGTERM`, `SIGHUP`] as const)
      process.on(signal, stop);
    const told = new Set<string>();
    let rounds = 0;
    this.say(`Watching. Ctrl-C ends it.`);
    try {
      while (!stopping.signal.aborted) {
        if (!await isPaused(project))
          await this.exclusively(project, async () => await syncProject(project, {
            say: line => this.say(line), warn: line => this.warnOnce(told, line), context: this.context,
          }));
        rounds += 1;
        if (this.once)
          break;
        await sleep(this.interval * 1000, undefined, {signal: stopping.signal}).catch(() => undefined);
      }
    } finally {
      for (const signal of [`SIGINT`, `SIGTERM`, `SIGHUP`] as const)
        process.off(signal, stop);
    }
    return this.done({rounds});
  }

  /** What was wrong three seconds ago and still is, is no news. */
  private warnOnce(told: Set<string>, line: string) {
    if (told.has(line))
      return;
    told.add(line);
    this.warn(line);
  }
}
