import {Command, Option}                  from 'clipanion';

import {agentById}                        from '../agents/index.ts';
import {linearize}                        from '../interchange/index.ts';
import type {FidelityReport, NeutralRecord, Part} from '../interchange/index.ts';
import {readHistory}                      from '../restore/history.ts';
import type {Project}                     from '../sync/project.ts';
import {sizeOf}                           from '../system/files.ts';
import {safe}                             from '../terminal/safe.ts';

import {BaseCommand, CommandError}        from './Base.ts';
import {chooseSession, describeForks, describeMirror, knownSessions, leftAt} from './support/overview.ts';
import type {KnownSession}                from './support/overview.ts';

export class ShowCommand extends BaseCommand {
  static override paths = [[`show`]];

  static override usage = Command.Usage({
    category: `Looking`,
    description: `one session: what it is, what it says, what each agent got of it`,
    details: `
      Prints title, origin, times, branch and commit, counts by kind of record, repairs and redactions, and where it can
      be continued. \`--text\` adds the conversation (tool outputs shortened; numbers are those for \`restore --at\`),
      \`--branches\` also what was abandoned. \`--fidelity\` lists, for each agent, every class of record that was reduced
      or dropped, with the reason and the first place.
    `,
    examples: [[`What is this session?`, `$0 show 5e551000`], [`What did Codex not get?`, `$0 show 5e551000 --fidelity`], [`Read it`, `$0 show 5e551000 --text`]],
  });

  text = Option.Boolean(`--text`, false, {description: `Print the conversation`});
  branches = Option.Boolean(`--branches`, false, {description: `With --text: also abandoned branches`});
  fidelity = Option.Boolean(`--fidelity`, false, {description: `List what each agent got reduced, or not at all`});
  session = Option.String();

  async run() {
    const project = await this.project();
    const store = await this.store(project);
    const {sessions} = await knownSessions(project, store);
    const session = chooseSession(sessions, this.session);
    const header = session.stored?.newest.header;
    const counts = header?.counts ?? session.checkpoint?.counts ?? {};

    this.say(`Session ${session.session}`);
    this.field(`title`, session.title);
    this.field(`agent`, header ? `${header.agent.id}${header.agent.version ? ` ${header.agent.version}` : ``}` : session.agent);
    this.field(`by`, header?.author && `${header.author.name} <${header.author.email}>`);
    this.field(`machine`, header?.machine);
    this.field(`from`, header?.created ?? session.checkpoint?.created);
    this.field(`to`, session.updated);
    this.field(`recorded at`, session.commit && `${session.branch ?? `detached`} @ ${session.commit}${session.dirty ? ` (with changes)` : ``}`);
    const {changes, produced = []} = header ?? {};
    this.field(`changed`, changes && `${changes.files.slice(0, 10).join(`, `)}${changes.files.length + (changes.more ?? 0) > 10 ? ` and ${changes.files.length + (changes.more ?? 0) - 10} more` : ``}`);
    this.field(`committed`, produced.length === 0 ? undefined : `${produced.slice(-10).map(({commit, by}) => `${commit.slice(0, 10)}${by === `time` ? `?` : ``}`).join(`, `)}${produced.length > 10 ? ` and ${produced.length - 10} before` : ``} (session-sync log ${session.session.slice(0, 8)})`);
    this.field(`goes on from`, session.lineage && `${session.lineage.parent} ${leftAt(session.lineage)}`);
    for (const {session: child, agent, lineage, stored} of sessions)
      if (lineage?.parent === session.session)
        this.field(`goes on in`, `${agent} as ${child}, ${leftAt(lineage)}${stored?.newest.header.author ? ` (${stored.newest.header.author.name})` : ``}`);
    if (session.forks !== undefined)
      this.field(`forks`, `${session.forks.length}${session.fork === undefined ? `; this is the newest` : `; this is ${session.fork.name}`}`);
    for (const line of describeForks(session))
      this.say(`  ${line}`);
    this.field(`records`, Object.entries(counts).map(([kind, count]) => `${count} ${kind}`).join(`, `));
    this.field(`left out`, Object.entries(header?.ignored ?? {}).map(([type, count]) => `${count} ${type}`).join(`, `));
    this.field(`redacted`, Object.entries(header?.redactions ?? session.checkpoint?.redactions ?? {}).map(([rule, count]) => `${count} ${rule}`).join(`, `));
    for (const repair of header?.repairs ?? session.checkpoint?.repairs ?? [])
      this.field(`repaired`, `${repair.message}${(repair.count ?? 1) > 1 ? ` (${repair.count} times)` : ``}`);
    for (const stored of session.stored ? [session.stored.newest, ...session.stored.others] : [])
      this.field(`git`, `${stored.ref} (${stored.header.streams[`rec/main`]?.records ?? 0} records in ${stored.header.sequence} ${stored.header.sequence === 1 ? `sync` : `syncs`})`);
    this.field(`go on`, await this.command(session));
    const mirrors = session.checkpoint?.mirrors ?? [];
    for (const mirror of mirrors)
      this.say(await describeMirror(mirror));

    if (this.fidelity)
      for (const mirror of mirrors)
        this.showFidelity(mirror.agent, mirror.report);
    const records = this.text ? await this.read(project, session) : undefined;
    for (const record of this.json ? [] : records ?? [])
      this.showRecord(record);
    return this.done({
      session: session.session, title: session.title, agent: session.agent, where: session.where, header, refs: session.stored ? [session.stored.newest, ...session.stored.others].map(({ref, commit}) => ({ref, commit})) : [],
      mirrors: mirrors.map(({writer: _, ...mirror}) => mirror), ...records ? {records} : {},
    });
  }

  /** How to go on where it comes from; elsewhere it is written first. */
  private async command({session, agent, checkpoint, stored}: KnownSession): Promise<string | undefined> {
    const adapter = agentById(agent);
    if (checkpoint !== undefined && await sizeOf(checkpoint.path).catch(() => -1) >= 0)
      return (adapter?.native ?? adapter?.target)?.resumeCommand(checkpoint.nativeId);
    return stored === undefined ? undefined : `session-sync restore ${session.slice(0, 8)}`;
  }

  private field(name: string, value: string | undefined) {
    if (value)
      this.say(`  ${name.padEnd(12)} ${safe(value, {width: 400})}`);
  }

  private showFidelity(agent: string, report: FidelityReport) {
    this.say(`${agent}: ${report.kept} kept, ${report.reduced} reduced, ${report.dropped} dropped`);
    for (const {outcome, kind, count, reason, seq} of report.items)
      this.say(`  ${outcome} ${count ?? 1} ${kind}: ${safe(reason ?? ``)}${seq !== undefined ? ` (first: record ${seq})` : ``}`);
  }

  private async read(project: Project, session: KnownSession): Promise<Array<NeutralRecord>> {
    const stored = session.stored?.newest;
    if (stored === undefined)
      throw new CommandError(`NOT_STORED`, `This session is not in git yet: \`session-sync sync ${session.session.slice(0, 8)}\`.`);
    const {machine} = this.context;
    const roots = {...stored.header.roots, root: project.root, home: machine.home, tmp: machine.tmp};
    const records: Array<NeutralRecord> = [];
    for await (const record of readHistory(await this.store(project), stored, {roots, platform: machine.platform, repairs: []}))
      records.push(withoutData(record));
    return this.branches ? records : linearize(records);
  }

  private showRecord(record: NeutralRecord) {
    const line = describe(record);
    if (line !== null)
      this.say(`${String(record.seq).padStart(6)}  ${safe(line, {multiline: true}).replaceAll(`\n`, `\n        `)}`);
  }
}

/** A picture on a terminal is its size. */
function withoutData(record: NeutralRecord): NeutralRecord {
  if (record.kind !== `prompt` && record.kind !== `result`)
    return record;
  return {...record, content: record.content.map(part => part.type === `image` ? {type: `image`, mediaType: part.mediaType, ...part.bytes !== undefined ? {bytes: part.bytes} : {}} : part)};
}

function describe(record: NeutralRecord): string | null {
  switch (record.kind) {
    case `prompt`:     return `> ${textOf(record.content)}`;
    case `reply`:      return record.text;
    case `reasoning`:  return `(thinking) ${shorten(record.text, 200)}`;
    case `call`:       return `[${record.name}] ${shorten(JSON.stringify(record.input), 300)}`;
    case `result`:     return `  ${record.error === true ? `failed: ` : ``}${shorten(textOf(record.content), 400)}`;
    case `plan`:       return record.text ?? (record.items ?? []).map(item => `- [${item.status === `completed` ? `x` : item.status === `in_progress` ? `~` : ` `}] ${item.step}`).join(`\n`);
    case `compaction`: return `--- compacted ---\n${shorten(record.summary, 400)}`;
    case `branch`:     return `--- branch${record.parent !== undefined ? ` from record ${record.parent}` : ``} ---`;
    case `interrupt`:  return `--- interrupted ---`;
    case `note`:       return record.visible === true ? `(${record.what}) ${shorten(record.text ?? ``, 200)}` : null;
    default:           return null;
  }
}

function textOf(content: Array<Part>) {
  return content.map(part => part.type === `text` ? part.text : part.type === `image` ? `[image ${part.mediaType}, ${part.bytes ?? `?`} bytes]` : `[${part.name}]`).join(`\n`);
}

function shorten(text: string, length: number) {
  return text.length <= length ? text : `${text.slice(0, length)} … (${text.length - length} more characters)`;
}
