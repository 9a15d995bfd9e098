import {Command, Option}                from 'clipanion';

import {storedSessions}                 from '../restore/choose.ts';
import {explainLines}                   from '../restore/why.ts';
import type {Explained}                 from '../restore/why.ts';
import {age}                            from '../terminal/age.ts';
import {safe}                           from '../terminal/safe.ts';

import {BaseCommand}                    from './Base.ts';
import {describeTie, tieData}           from './support/behind.ts';
import {linesToBlame}                   from './support/blame.ts';
import {shortIds}                       from './support/shortIds.ts';

/** Characters of a prompt that are shown; `show --text` has the rest. */
const SHOWN_PROMPT = 600;

export class WhyCommand extends BaseCommand {
  static override paths = [[`why`]];

  static override usage = Command.Usage({
    category: `Looking`,
    description: `the prompt and the call that wrote a line`,
    details: `
      Asks \`git blame\` for the commit of a line (or of a range of lines), finds the session behind it as \`log\` does, and
      in that session the last call that wrote the line, with the prompt that it was asked for. Moved and newly indented
      lines are followed, and so are renamed files and commits that were squashed, rebased or amended. What is not
      committed yet is looked for in the sessions of this clone.

      \`edits?\` and the like: the session has to do with the commit, but no call of it shows this line.

      The numbers are those of \`show --text\` and \`restore --at\`. Exit code 1: no session is known for one of the lines.
    `,
    examples: [[`Who wrote this line, and why?`, `$0 why src/cart.js:12`], [`A range`, `$0 why src/cart.js:12-30`], [`As it was in a release`, `$0 why src/cart.js:12 --rev v1.0`]],
  });

  revision = Option.String(`--rev`, {description: `The file as this revision has it`});
  place = Option.String({name: `file:line`});

  async run() {
    const project = await this.project();
    const store = await this.store(project);
    const {file, lines} = await linesToBlame(project, this.context.cwd, this.place, this.revision);
    const {sessions, problems} = await storedSessions(store);
    const explained = await explainLines(project, store, sessions, lines, file);
    const ids = shortIds([...sessions, ...explained.flatMap(({behind}) => behind)].map(({session}) => session));
    for (const group of grouped(explained))
      this.draw(file, group, ids);
    for (const problem of problems)
      this.warn(`${problem.ref} was left out: ${problem.message}`);
    return this.done({file, lines: explained.map(({tie, commit, behind, ...line}) => ({
      ...line, commit: commit?.commit ?? null, subject: commit?.subject, author: commit?.author, date: commit?.date,
      session: tie === undefined ? null : tieData(tie), sessions: behind.map(tieData),
    }))}, explained.every(({tie}) => tie?.stored !== undefined) ? 0 : 1);
  }

  private draw(file: string, group: [Explained, ...Array<Explained>], ids: Map<string, string>) {
    const [{line, commit, cut, tie, behind, writer, prompt, owner}] = group;
    const now = this.context.now().getTime();
    const last = group.at(-1)!.line;
    this.say(`${safe(file)}:${line}${last > line ? `-${last}` : ``}`);
    for (const {text} of group)
      this.say(`  | ${safe(text.replaceAll(`\t`, `    `), {multiline: true, width: 160})}`);
    this.field(`commit`, commit === null ? `not committed yet` : `${commit.commit.slice(0, 10)}${cut === true ? ` or one before it, which this shallow clone has not got` : ``}  ${safe(commit.subject, {width: 70})}  (${safe(commit.author.name, {width: 24})}, ${age(commit.date, now)})`);
    if (tie === undefined) {
      this.field(`session`, commit === null ? `none of this clone has a call that wrote it, as far as they are kept: \`session-sync sync\` keeps the rest` : cut === true ? `none that is known here has a call that wrote it; \`git fetch --unshallow\` brings the commit` : `none that is known here is behind this commit; \`session-sync pull\` fetches those of others`);
      return;
    }
    this.field(`session`, describeTie(tie, now, ids));
    for (const other of behind.filter(({session}) => session !== tie.session))
      this.field(`also`, describeTie(other, now, ids));
    if (tie.stored === undefined)
      return;
    if (prompt !== undefined)
      this.field(`prompt`, `${prompt.stream === `main` ? `` : `${prompt.stream} `}${prompt.record}  > ${shorten(prompt.text)}`);
    this.field(`call`, writer === undefined ? prompt === undefined ? `none of its calls shows the line: a command of it may have written it, or somebody by hand` : `none of its calls shows the line: the prompt is the one before the commit` : `${writer.stream === `main` ? `` : `${safe(writer.stream)} `}${writer.record}  [${safe(writer.name, {width: 60})}]${MATCH[writer.match]}${writer.path === undefined ? `` : ` (into ${safe(writer.path, {width: 80})})`}`);
    if (owner !== undefined && owner !== tie.session)
      this.field(`written in`, `${ids.get(owner) ?? owner.slice(0, 8)}, which it goes on from`);
    const id = ids.get(tie.session) ?? tie.session;
    this.field(`more`, `session-sync show ${id} --text${writer !== undefined && writer.stream === `main` ? `; session-sync restore ${id} --at ${writer.record}` : ``}`);
  }

  private field(name: string, value: string) {
    this.say(`  ${name.padEnd(11)} ${safe(value, {multiline: true}).replaceAll(`\\n`, `\\n              `)}`);
  }
}

const MATCH = {exact: ``, trimmed: ` (but for white space)`, part: ` (a part of the line)`, elsewhere: ``, loose: ` (has the line in its arguments)`};

/** Lines one after the other that the same call wrote. */
function grouped(lines: Array<Explained>): Array<[Explained, ...Array<Explained>]> {
  const key = ({commit, tie, writer}: Explained) => JSON.stringify([commit?.commit, tie?.session, writer?.stream, writer?.record]);
  const groups: Array<[Explained, ...Array<Explained>]> = [];
  for (const line of lines) {
    const last = groups.at(-1);
    if (last !== undefined && key(last[0]) === key(line))
      last.push(line);
    else
      groups.push([line]);
  }
  return groups;
}

function shorten(text: string) {
  return text.length <= SHOWN_PROMPT ? text : `${text.slice(0, SHOWN_PROMPT)} … (${text.length - SHOWN_PROMPT} more characters)`;
}
