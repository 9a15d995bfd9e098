import * as fs                               from 'node:fs/promises';
import path                                  from 'node:path';
import {afterEach, describe, expect, it, vi} from 'vitest';

import {OTHER, SESSION, makeKept}            from './_runCli.ts';
import type {Person}                         from './_runCli.ts';
import {script, settled, stateFile}          from './_auto.ts';

// Real commits and syncs, on a machine that may be busy.
vi.setConfig({testTimeout: 120_000});

const ends: Array<() => Promise<unknown>> = [];
afterEach(async () => {
  for (const end of ends.splice(0))
    await end();
});

const TRAILER = `Session-Sync: ${SESSION}`;

/** alice has asked for trailers, and her session is at work. */
async function atWork() {
  const made = await makeKept();
  ends.push(async () => await settled(made.world));
  const {alice} = made;
  await alice.ok(`init`, `--trailer`);
  await present(alice, {});
  return {...made, commit: async (...args: Array<string>) => await commit(alice, ...args)};
}

/** What a worker would note of a session. */
async function present(person: Person, {age = 5, turn = `idle`, session = SESSION, root = person.repo}: {age?: number; turn?: string; session?: string; root?: string}) {
  await fs.appendFile(stateFile(person, `live`), `${Math.floor(Date.now() / 1000) - age} ${turn} ${session} ${root}\n`);
}

let count = 0;
/** Commits a new file; resolves to the message as git has it, in single bytes. */
async function commit(person: Person, ...args: Array<string>) {
  await fs.writeFile(path.join(person.repo, `file-${count += 1}`), `${count}\n`);
  await person.git(`add`, `-A`);
  const output = await person.program(`git`, `commit`, `-q`, ...args);
  expect(output).toMatchObject({exitCode: 0, stdout: ``, stderr: ``});
  return await message(person);
}

async function message(person: Person, commit = `HEAD`) {
  return (await person.git(`-c`, `i18n.logOutputEncoding=UTF-8`, `log`, `-1`, `--format=%B`, commit)).trimEnd();
}

/** An editor that does what the script says to the file \`$1\`. */
async function editor(person: Person, world: string, text: string) {
  const file = path.join(world, `editor.sh`);
  await script(file, `#!/bin/sh\n${text}\n`);
  person.env = {...person.env, GIT_EDITOR: file};
}

describe(`init --trailer`, () => {
  it(`names the session at work in commits, whatever way the message comes`, async () => {
    const {alice, world, commit} = await atWork();
    expect(await commit(`-m`, `Fix the cart`)).toBe(`Fix the cart\n\n${TRAILER}`);
    expect(await commit(`-m`, `Fix the cart`, `-m`, `With care.\n---\nReally.`)).toBe(`Fix the cart\n\nWith care.\n---\nReally.\n\n${TRAILER}`);
    expect(await commit(`-s`, `-m`, `Fix`)).toBe(`Fix\n\nSigned-off-by: alice <alice@example.org>\n${TRAILER}`);
    const file = path.join(world, `message`);
    await fs.writeFile(file, `fix: the cart\n\nCo-authored-by: Bob <bob@example.org>`);
    expect(await commit(`-F`, file)).toBe(`fix: the cart\n\nCo-authored-by: Bob <bob@example.org>\n${TRAILER}`);
    expect(await commit(`--cleanup=verbatim`, `-F`, file)).toBe(`fix: the cart\n\nCo-authored-by: Bob <bob@example.org>\n${TRAILER}`);
    await fs.writeFile(file, Buffer.from(`caf\xe9\n`, `latin1`));
    await alice.git(`config`, `i18n.commitEncoding`, `ISO-8859-1`);
    expect(await commit(`-F`, file)).toBe(`café\n\n${TRAILER}`);
    await alice.git(`config`, `--unset`, `i18n.commitEncoding`);

    await editor(alice, world, `{ echo "In an editor"; echo; echo "Why."; cat "$1"; } > "$1.new"; mv "$1.new" "$1"`);
    expect(await commit()).toBe(`In an editor\n\nWhy.\n\n${TRAILER}`);
    expect(await commit(`-v`)).toBe(`In an editor\n\nWhy.\n\n${TRAILER}`);
    expect(await commit(`--cleanup=scissors`)).toBe(`In an editor\n\nWhy.\n\n${TRAILER}`);
    await alice.git(`config`, `core.commentChar`, `;`);
    expect(await commit()).toBe(`In an editor\n\nWhy.\n\n${TRAILER}`);
    expect(await alice.ok(`status`)).toContain(`Automatic: commits name the sessions that were at work.`);
    expect((await alice.cli(`doctor`)).exitCode).toBe(0);

    await alice.ok(`init`, `--no-trailer`);
    expect(await commit(`-m`, `Without`)).toBe(`Without`);
  });

  it(`below the whole message, also where lines of it look like comments`, async () => {
    const {alice, world, commit} = await atWork();
    expect(await commit(`-m`, `#12 Fix the cart`)).toBe(`#12 Fix the cart\n\n${TRAILER}`);
    expect(await commit(`-m`, `Fix`, `-m`, `#12 is the reason`)).toBe(`Fix\n\n#12 is the reason\n\n${TRAILER}`);
    expect(await commit(`-m`, `Fix`, `-m`, `See\n#12`)).toBe(`Fix\n\nSee\n#12\n\n${TRAILER}`);
    expect(await commit(`-m`, `Fix`, `-m`, `Change-Id: I0123456789`)).toBe(`Fix\n\nChange-Id: I0123456789\n${TRAILER}`);
    await alice.git(`config`, `trailer.separators`, `=`);
    expect(await commit(`-m`, `Fix`)).toBe(`Fix\n\n${TRAILER}`);
    await alice.git(`config`, `--unset`, `trailer.separators`);

    // In an editor they are comments; and a person's own editor may be one that does nothing.
    await editor(alice, world, `{ echo "Fix"; echo; echo "#12"; cat "$1"; } > "$1.new"; mv "$1.new" "$1"`);
    expect(await commit()).toBe(`Fix\n\n${TRAILER}`);
    alice.env = {...alice.env, GIT_EDITOR: `:`};
    await alice.git(`commit`, `-q`, `--amend`);
    expect(await message(alice)).toBe(`Fix\n\n${TRAILER}`);
    await fs.writeFile(path.join(alice.repo, `one more`), ``);
    await alice.git(`add`, `-A`);
    for (const args of [[], [`-v`], [`-s`]])
      expect((await alice.program(`git`, `commit`, ...args)).exitCode).toBe(1);
  });

  it(`lets a person call a commit off, as before`, async () => {
    const {alice, world} = await atWork();
    await fs.writeFile(path.join(alice.repo, `new`), ``);
    await alice.git(`add`, `-A`);
    const head = await alice.git(`rev-parse`, `HEAD`);
    await fs.writeFile(path.join(alice.home, `template`), `Subject:\n\n# Say why\n`);
    for (const [text, ...args] of [[`:`], [`: > "$1"`, `-m`, `x`, `-e`], [`:`, `-s`], [`:`, `-v`], [`exit 1`, `-m`, `x`, `-e`]]) {
      await editor(alice, world, text!);
      expect((await alice.program(`git`, `commit`, ...args)).exitCode).toBe(1);
    }
    await alice.git(`config`, `commit.template`, path.join(alice.home, `template`));
    await editor(alice, world, `:`);
    expect(await alice.program(`git`, `commit`)).toMatchObject({exitCode: 1, stderr: expect.stringContaining(`did not edit the message`)});
    await editor(alice, world, `sed -i 's/^Subject:/Subject: it/' "$1"`);
    expect((await alice.program(`git`, `commit`, `-q`)).exitCode).toBe(0);
    expect(await message(alice)).toBe(`Subject: it\n\n${TRAILER}`);
    expect(await alice.git(`rev-parse`, `HEAD~1`)).toBe(head);
  });

  it(`not twice when a commit is amended; and not in what is merged, squashed, picked, reverted or rebased`, async () => {
    const {alice, commit} = await atWork();
    const live = await fs.readFile(stateFile(alice, `live`), `utf8`);
    const quietly = async (work: () => Promise<unknown>) => {
      await fs.writeFile(stateFile(alice, `live`), ``);
      await work();
      await fs.writeFile(stateFile(alice, `live`), live);
    };
    const edit = {...alice.env, GIT_EDITOR: `true`};
    alice.env = edit;
    await commit(`-m`, `Once`);
    for (const args of [[`--amend`, `--no-edit`], [`--amend`], [`--amend`, `-m`, `Again`]])
      await alice.git(`commit`, `-q`, ...args);
    expect(await message(alice)).toBe(`Again\n\n${TRAILER}`);
    // Another session amends it: both have worked on it.
    await present(alice, {session: OTHER});
    await alice.git(`commit`, `-q`, `--amend`, `--no-edit`);
    expect(await message(alice)).toBe(`Again\n\n${TRAILER}\nSession-Sync: ${OTHER}`);
    await fs.writeFile(stateFile(alice, `live`), live);

    await alice.git(`checkout`, `-q`, `-b`, `topic`);
    await quietly(async () => {
      for (const name of [`One`, `Two`, `Three`])
        await commit(`-m`, name);
    });
    const messages = async (range: string) => (await alice.git(`log`, `--format=%B`, range)).split(`\n`).filter(line => line !== ``);
    await alice.git(`checkout`, `-q`, `main`);
    await quietly(async () => await commit(`-m`, `Meanwhile`));

    await alice.git(`merge`, `-q`, `--no-edit`, `topic`);
    expect(await message(alice)).toBe(`Merge branch 'topic'`);
    await alice.git(`reset`, `-q`, `--hard`, `HEAD~1`);
    await alice.git(`merge`, `-q`, `--squash`, `topic`);
    await alice.git(`commit`, `-q`, `--no-edit`);
    expect(await message(alice)).not.toContain(`Session-Sync`);
    await alice.git(`reset`, `-q`, `--hard`, `HEAD~1`);
    await alice.git(`cherry-pick`, `topic`, `topic~1`);
    await alice.git(`revert`, `--no-edit`, `HEAD`);
    expect(await messages(`HEAD~3..HEAD`)).not.toContain(TRAILER);
    await alice.git(`reset`, `-q`, `--hard`, `HEAD~3`);
    await alice.git(`checkout`, `-q`, `topic`);
    await alice.git(`rebase`, `-q`, `main`);
    await alice.git(`-c`, `sequence.editor=sed -i s/^pick/reword/`, `rebase`, `-q`, `-i`, `main`);
    expect(await messages(`main..topic`)).toEqual([`Three`, `Two`, `One`]);
    // A conflict that is settled by hand is still the old commit.
    await quietly(async () => {
      await fs.writeFile(path.join(alice.repo, `both`), `topic\n`);
      await commit(`-m`, `Both`);
      await alice.git(`checkout`, `-q`, `main`);
      await fs.writeFile(path.join(alice.repo, `both`), `main\n`);
      await commit(`-m`, `Both too`);
      await alice.git(`checkout`, `-q`, `topic`);
    });
    expect((await alice.program(`git`, `rebase`, `-q`, `main`)).exitCode).not.toBe(0);
    await fs.writeFile(path.join(alice.repo, `both`), `both\n`);
    await alice.git(`add`, `-A`);
    await alice.git(`rebase`, `--continue`);
    expect(await message(alice)).toBe(`Both`);
  });

  it(`only of sessions that worked here and lately, from an editor with a poor PATH, and never with anything but their ids`, async () => {
    const {alice, world, commit} = await atWork();
    const tree = path.join(world, `alice`, `other tree`);
    await alice.git(`worktree`, `add`, `-q`, tree, `-b`, `topic`);
    const file = stateFile(alice, `live`);
    const only = async (...sessions: Array<Parameters<typeof present>[1]>) => {
      await fs.writeFile(file, ``);
      for (const session of sessions)
        await present(alice, session);
      return await commit(`-m`, `x`);
    };
    const ids = [OTHER, SESSION];
    expect(await only({age: 599}, {session: OTHER, age: 3500, turn: `running`})).toBe(`x\n\n${TRAILER}\nSession-Sync: ${OTHER}`);
    expect(await only({age: 700}, {session: OTHER, age: 3700, turn: `running`}, {age: -500, session: ids[0]!}, {root: tree}, {root: `${alice.repo}/src`})).toBe(`x`);
    await fs.writeFile(file, `\nnonsense\n${`9`.repeat(40)} idle ${SESSION} ${alice.repo}\n${Math.floor(Date.now() / 1000)} idle $(id>&2)\`id\` ${alice.repo}\n-1 idle a b\n${Math.floor(Date.now() / 1000)} idle ${SESSION}; ${alice.repo}\n`);
    expect(await commit(`-m`, `x`)).toBe(`x`);

    await fs.writeFile(file, ``);
    await present(alice, {root: tree});
    alice.env = {...alice.env, PATH: `/usr/bin:/bin`};
    await alice.git(`-C`, tree, `commit`, `-q`, `--allow-empty`, `-m`, `In the other tree`);
    expect(await message(alice, `topic`)).toBe(`In the other tree\n\n${TRAILER}`);
  });

  it(`after a team's own check of messages, which stays what it was; not with --no-verify`, async () => {
    const {alice, commit} = await atWork();
    const hook = path.join(alice.repo, `.git/hooks/commit-msg`);
    const theirs = `#!/usr/bin/env perl\nopen(my $f, "<", $ARGV[0]) or die; my $first = <$f>; exit($first =~ /^fix/ ? 0 : 9);\n`;
    await alice.ok(`init`, `--no-trailer`);
    await script(hook, theirs);
    await alice.ok(`init`, `--trailer`);
    await present(alice, {});
    expect(await commit(`-m`, `fix: it`)).toBe(`fix: it\n\n${TRAILER}`);
    expect((await alice.program(`git`, `commit`, `--allow-empty`, `-m`, `it`)).exitCode).toBe(1);
    expect(await commit(`--no-verify`, `-m`, `it`)).toBe(`it`);
    await alice.ok(`uninit`);
    expect(await fs.readFile(hook, `utf8`)).toBe(theirs);
  });

  it(`is fed by a sync, with the time of the transcript and the session's own working tree`, async () => {
    const {alice} = await atWork();
    await fs.writeFile(stateFile(alice, `live`), ``);
    const when = Math.floor(Date.now() / 1000) - 30;
    await fs.utimes(alice.transcript(), when, when);
    await alice.ok(`sync`, `--force`);
    const noted = await fs.readFile(stateFile(alice, `live`), `utf8`);
    expect(noted).toMatch(new RegExp(`^${when} (?:running|idle) ${SESSION} ${alice.repo}\n$`));
    expect((await fs.stat(stateFile(alice, `live`))).mode & 0o777).toBe(0o600);
    expect(await commit(alice, `-m`, `Real`)).toBe(`Real\n\n${TRAILER}`);
  });

  it(`is fed by the worker that an agent's hook wakes`, async () => {
    const {alice, world} = await atWork();
    await fs.writeFile(stateFile(alice, `live`), ``);
    alice.env = {...alice.env, SESSION_SYNC_LINGER_MS: `50`};
    const event = path.join(world, `event.json`);
    await fs.writeFile(event, JSON.stringify({session_id: SESSION, transcript_path: alice.transcript(), cwd: alice.repo, hook_event_name: `PreToolUse`}));
    const now = Math.floor(Date.now() / 1000);
    await fs.utimes(alice.transcript(), now, now);
    expect(await alice.program(`sh`, `-c`, `session-sync-hook claude-code < "${event}"`)).toEqual({exitCode: 0, stdout: ``, stderr: ``});
    await settled(world);
    expect(await fs.readFile(stateFile(alice, `live`), `utf8`)).toContain(`${SESSION} ${alice.repo}\n`);
    expect(await commit(alice, `-m`, `By an agent`)).toBe(`By an agent\n\n${TRAILER}`);
  });
});
