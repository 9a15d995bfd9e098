import {Command, Option}             from 'clipanion';

import {archive, defaultRemote, planRemoval} from '../store/index.ts';
import {progress}                    from '../terminal/progress.ts';
import {safe}                        from '../terminal/safe.ts';

import {BaseCommand}                 from './Base.ts';
import {parseBound}                  from './support/bound.ts';
import {confirmed, leftAlone, removalData, removalTable} from './support/removal.ts';
import {wholeIds}                    from './support/remoteIds.ts';

export class ArchiveCommand extends BaseCommand {
  static override paths = [[`archive`]];

  static override usage = Command.Usage({
    category: `Sharing`,
    description: `move old sessions of a remote into few refs`,
    details: `
      Thousands of session refs make every connection to a remote list them. This moves those whose last record is older
      than the bound (a year, unless \`--older-than\` says otherwise) into one ref a year,
      \`refs/session-sync/archive/<clone>/<year>\`, and removes their own refs on the remote. Every commit stays there.
      Nothing goes before a person has said yes, or \`--yes\`; \`--dry-run\` shows exactly what would.

      \`list --remote --archived\` lists what is archived, \`pull --session\` fetches it like any other: that one alone where
      the remote gives out single commits, else with all of its year. \`pull\` leaves archives out but for \`--archived\`.

      A ref is removed only after the archive has arrived, and only if it is still what was archived. This clone's own refs
      stay here; \`session-sync push\` sends them again when they have grown. Sessions of other clones are moved with
      \`--others\`, for which they are fetched. One that a session that stays goes on from stays as well.
    `,
    examples: [
      [`See what is older than a year`, `$0 archive --dry-run`],
      [`Move what is older than half a year, of everybody`, `$0 archive --older-than 6m --others`],
    ],
  });

  olderThan = Option.String(`--older-than`, `1y`, {description: `Bound: a number and h, d, w, m (30 days) or y`});
  sessions = Option.Array(`--session`, {description: `Only this session (id or unique beginning; may be repeated), however old`});
  others = Option.Boolean(`--others`, false, {description: `Also sessions of other clones, fetched to here first`});
  remote = Option.String(`--remote`, {description: `The remote; else the one that git would push to`});
  dryRun = Option.Boolean(`--dry-run`, false, {description: `Show what would be moved, and move nothing`});
  yes = Option.Boolean(`--yes`, false, {description: `Do not ask`});

  async run() {
    const now = this.context.now().getTime();
    const before = now - parseBound(this.olderThan);
    const project = await this.project();
    const store = await this.store(project);
    const remote = await defaultRemote(project.repository, this.context.machine.env, this.remote, {shared: project.config.remote});

    const which = this.sessions === undefined ? {before} : {sessions: await wholeIds(store, remote, this.sessions)};
    const options = {remote, others: this.others, dated: true, ...which};

    const bar = await progress(this.context);
    bar.update(`asking ${safe(remote)}`);
    const plan = await planRemoval(store, options).finally(() => bar.clear());
    if (plan.chosen.length > 0)
      this.say(removalTable(plan, now));
    if (this.dryRun || plan.chosen.length === 0) {
      this.say(plan.chosen.length === 0 ? `There is nothing to move on ${safe(remote)}.` : `${plan.chosen.length} would be moved into archives on ${safe(remote)}.`);
      leftAlone(plan.left, plan).forEach(line => this.warn(line));
      return this.done({remote, dryRun: this.dryRun, archived: removalData(plan.chosen), archives: [], left: plan.left});
    }
    if (!await confirmed(this.context, `Move these ${plan.chosen.length} into archives on ${safe(remote)}?`, this)) {
      this.say(`Nothing was moved.`);
      return this.done({cancelled: true}, 1);
    }

    bar.update(`archiving on ${safe(remote)}`);
    const {removed, left, problems, archives} = await archive(store, plan, options).finally(() => bar.clear());
    this.say(`${removed.length} moved on ${safe(remote)}, into ${archives.map(ref => safe(ref)).join(`, `) || `no archive`}.`);
    [...leftAlone(left, plan), ...problems].forEach(line => this.warn(line));
    return this.done({remote, dryRun: false, archived: removalData(removed), archives, left}, removed.length < plan.chosen.length || problems.length > 0 ? 2 : 0);
  }
}
