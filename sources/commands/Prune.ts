import {Command, Option}             from 'clipanion';

import {defaultRemote, planArchivedRemoval, planRemoval, prune, pruneArchived} from '../store/index.ts';
import {progress}                    from '../terminal/progress.ts';
import {safe}                        from '../terminal/safe.ts';

import {BaseCommand, CommandError}   from './Base.ts';
import {parseBound}                  from './support/bound.ts';
import {confirmed, leftAlone, removalData, removalTable} from './support/removal.ts';
import {wholeIds}                    from './support/remoteIds.ts';

export class PruneCommand extends BaseCommand {
  static override paths = [[`prune`]];

  static override usage = Command.Usage({
    category: `Sharing`,
    description: `remove old sessions from a remote`,
    details: `
      Removes the refs of sessions whose last record is older than the bound (\`90d\`, \`8w\`, \`6m\`, \`1y\`), or of the sessions
      named, on the remote. Nothing goes before a person has said yes, or \`--yes\`; \`--dry-run\` shows exactly what would.
      To keep old sessions on the remote, in few refs instead of many, there is \`session-sync archive\`.

      Never what nobody else has: this clone's own refs go only while it has the same or a later state itself, and stay
      here; those of other clones only with \`--others\`, and only after they were fetched to here. Each goes only if it
      is still what was looked at: a session that grew meanwhile stays. One that a session that stays goes on from stays as
      well. What is left alone is said, and why.

      With \`--archived\` sessions go out of the archives that this clone made (\`session-sync archive\`), which are written
      anew without them; what another clone archived only that one takes out. Here all of them stay.

      \`session-sync push\` does not send again what was removed, unless it has grown or is named with \`--session\`; plain
      \`git push origin 'refs/session-sync/*'\` does. So does another clone whose own session was removed, with plain git.
    `,
    examples: [
      [`See what is older than three months`, `$0 prune --older-than 90d --dry-run`],
      [`Remove it`, `$0 prune --older-than 90d`],
      [`Out of the archives what is older than three years`, `$0 prune --archived --older-than 3y --others`],
      [`One session, from another remote`, `$0 prune --session 5e551000 --remote backup`],
    ],
  });

  olderThan = Option.String(`--older-than`, {description: `Bound: a number and h, d, w, m (30 days) or y`});
  sessions = Option.Array(`--session`, {description: `Only this session (id or unique beginning; may be repeated)`});
  others = Option.Boolean(`--others`, false, {description: `Also sessions of other clones, fetched to here first`});
  archived = Option.Boolean(`--archived`, false, {description: `Out of this clone's archives instead`});
  remote = Option.String(`--remote`, {description: `The remote; else the one that git would push to`});
  dryRun = Option.Boolean(`--dry-run`, false, {description: `Show what would be removed, and remove nothing`});
  yes = Option.Boolean(`--yes`, false, {description: `Do not ask`});

  async run() {
    if (this.olderThan === undefined && this.sessions === undefined)
      throw new CommandError(`NO_BOUND`, `Nothing is removed without a bound: --older-than 90d, or --session.`);
    const now = this.context.now().getTime();
    const before = this.olderThan === undefined ? {} : {before: now - parseBound(this.olderThan)};
    const project = await this.project();
    const store = await this.store(project);
    const remote = await defaultRemote(project.repository, this.context.machine.env, this.remote, {shared: project.config.remote});

    const chosen = this.sessions === undefined ? {} : {sessions: await wholeIds(store, remote, this.sessions, {archived: this.archived})};
    const options = {remote, others: this.others, ...before, ...chosen};

    const bar = await progress(this.context);
    bar.update(`asking ${safe(remote)}`);
    const plan = await (this.archived ? planArchivedRemoval : planRemoval)(store, options).finally(() => bar.clear());
    if (plan.chosen.length > 0)
      this.say(removalTable(plan, now));
    if (this.dryRun || plan.chosen.length === 0) {
      this.say(plan.chosen.length === 0 ? `There is nothing to remove from ${safe(remote)}.` : `${plan.chosen.length} would be removed from ${safe(remote)}.`);
      leftAlone(plan.left, plan).forEach(line => this.warn(line));
      return this.done({remote, dryRun: this.dryRun, removed: removalData(plan.chosen), left: plan.left});
    }
    if (!await confirmed(this.context, `Remove these ${plan.chosen.length} from ${safe(remote)}?`, this)) {
      this.say(`Nothing was removed.`);
      return this.done({cancelled: true}, 1);
    }

    bar.update(`removing from ${safe(remote)}`);
    const {removed, left, problems} = await (this.archived ? pruneArchived : prune)(store, plan, options).finally(() => bar.clear());
    this.say(`${removed.length} removed from ${safe(remote)}; they are kept here.`);
    [...leftAlone(left, plan), ...problems].forEach(line => this.warn(line));
    return this.done({remote, dryRun: false, removed: removalData(removed), left}, removed.length < plan.chosen.length || problems.length > 0 ? 2 : 0);
  }
}
