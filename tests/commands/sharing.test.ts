import * as fs                                from 'node:fs/promises';
import path                                   from 'node:path';
import {describe, expect, it}                 from 'vitest';

import {OTHER, RECORDS, SESSION, grow, makeKept, makeShared, makeWorld, snapshot} from './_runCli.ts';

describe(`push and pull`, () => {
  it(`send each state once, and say what was there already`, async () => {
    const {alice, bob, remote} = await makeKept();
    const planned = await alice.json([`push`, `--dry-run`]);
    expect(planned).toMatchObject({dryRun: true, pushed: expect.arrayContaining([expect.objectContaining({session: SESSION})])});
    expect(await alice.git(`--git-dir=${remote}`, `for-each-ref`, `refs/session-sync/`)).toBe(``);
    const first = await alice.json([`push`]);
    expect(first.pushed.map(({session}: {session?: string}) => session)).toContain(SESSION);
    expect(await alice.json([`push`])).toMatchObject({pushed: [], rejected: []});

    await bob.git(`clone`, `-q`, remote, bob.repo);
    expect((await bob.json([`list`, `--remote`])).sessions).toMatchObject([{session: SESSION}]);
    expect(await bob.refs()).toBe(``);
    expect(await bob.json([`pull`])).toMatchObject({remote: `origin`, sessions: [{session: SESSION}], problems: []});
    expect(await bob.json([`pull`])).toMatchObject({updated: 0});
    expect((await bob.json([`list`])).sessions).toMatchObject([{session: SESSION, where: `remote`, remote: `origin`, records: RECORDS, author: {name: `alice`}}]);
  });

  it(`can be done with plain git, as the manual writes it`, async () => {
    const {alice, bob, remote} = await makeKept();
    expect((await alice.program(`sh`, `-c`, `git push -q origin 'refs/session-sync/*'`)).exitCode).toBe(0);
    await bob.git(`clone`, `-q`, remote, bob.repo);
    expect((await bob.program(`sh`, `-c`, `git fetch -q origin 'refs/session-sync/*:refs/session-sync/*'`)).exitCode).toBe(0);
    expect(await bob.json([`restore`, SESSION, `--agent`, `codex`])).toMatchObject({restored: [{outcome: `created`}]});
    expect(await bob.git(`log`, `--format=%an`, `HEAD`)).not.toContain(`session-sync`);
  });

  it(`one session only, by the beginning of its id`, async () => {
    const {alice, bob, remote} = await makeKept(`handwritten`, null);
    await alice.ok(`push`, `--session`, SESSION);
    await bob.git(`clone`, `-q`, remote, bob.repo);
    await bob.ok(`pull`, `--session`, SESSION);
    expect((await bob.json([`list`])).sessions.map(({session}: {session: string}) => session)).toEqual([SESSION]);
    expect(await bob.json([`pull`, `--session`, `../..`], 1)).toMatchObject({code: `BAD_SESSION_ID`});
    expect(await alice.json([`push`, `--session`, `5e55`], 1)).toMatchObject({code: `AMBIGUOUS_SESSION`});
  });

  it(`say that there is no such remote, and that it cannot be reached`, async () => {
    const {alice, remote} = await makeKept();
    for (const verb of [`push`, `pull`]) {
      expect(await alice.json([verb, `nowhere`], 1)).toMatchObject({code: `NO_REMOTE`});
      for (const address of [`ext::sh -c id`, `--upload-pack=id`, remote])
        expect((await alice.cli(verb, `--`, address)).exitCode).toBe(1);
    }
    await fs.rename(remote, `${remote}.away`);
    for (const verb of [`push`, `pull`]) {
      const {exitCode, stderr} = await alice.cli(verb);
      expect(exitCode).toBe(1);
      expect(stderr).toContain(`does not appear to be a git repository`);
    }
    await alice.git(`remote`, `remove`, `origin`);
    expect(await alice.json([`push`], 1)).toMatchObject({code: `NO_REMOTE`});
  });
});

describe(`show`, () => {
  it(`prints what it is, what it says, and what each agent got`, async () => {
    const {alice} = await makeKept(`01-tools-subagent-mcp`, null);
    const [session] = (await alice.json([`list`])).sessions;
    const text = await alice.ok(`show`, session.session.slice(0, 4), `--text`, `--fidelity`);
    expect(text).toContain(`Session ${session.session}\n  title        Räum den Warenkorb auf`);
    expect(text).toMatch(/\n {5}0 {2}> Räum den Warenkorb auf/);
    expect(text).toMatch(/codex: \d+ kept, \d+ reduced, \d+ dropped\n/);
    expect(text).toContain(`reduced 1 reasoning: thinking of another agent is shown, not sent to the model (first: record `);
    const data = await alice.json([`show`, session.session, `--text`]);
    expect(data).toMatchObject({session: session.session, where: `local`, header: {agent: {id: `claude-code`}}});
    expect(data.records.length).toBeGreaterThan(40);
  });

  it(`names the candidates, and what is not known`, async () => {
    const {alice} = await makeKept(`handwritten`, null);
    const {exitCode, stderr} = await alice.cli(`show`, `5e55`);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(SESSION);
    expect(stderr).toContain(OTHER);
    expect(await alice.json([`show`, `ffff`], 1)).toMatchObject({code: `UNKNOWN_SESSION`});
    expect(await alice.json([`show`, `../x`], 1)).toMatchObject({code: `BAD_SESSION_ID`});
  });
});

describe(`restore`, () => {
  it(`--dry-run writes nothing; then once, and nothing more the second time`, async () => {
    const {bob} = await makeShared();
    const before = await snapshot(bob.home);
    expect(await bob.json([`restore`, `5e55`, `--dry-run`])).toMatchObject({dryRun: true, restored: [{agent: `claude-code`, outcome: `planned`}, {agent: `codex`, outcome: `planned`}]});
    expect(await snapshot(bob.home)).toEqual(before);

    const first = await bob.json([`restore`]);
    expect(first).toMatchObject({session: SESSION, cwd: bob.repo, failed: [], differences: [], restored: [{outcome: `created`}, {outcome: `created`, records: RECORDS}]});
    const after = await snapshot(bob.home);
    expect(await bob.json([`restore`])).toMatchObject({restored: [{outcome: `unchanged`}, {outcome: `unchanged`}]});
    expect(await snapshot(bob.home)).toEqual(after);
    for (const file of [bob.transcript(), ...await bob.rollouts()]) {
      const text = await fs.readFile(file, `utf8`);
      expect(text).not.toContain(`alice/shop`);
      expect((await fs.stat(file)).mode & 0o777).toBe(0o600);
    }
  });

  it(`appends what a session has grown by, and leaves alone what an agent went on with`, async () => {
    const {alice, bob} = await makeShared();
    await bob.ok(`restore`);
    const [rollout] = await bob.rollouts();
    const before = await fs.readFile(rollout!, `utf8`);
    const again = async (text: string) => {
      await grow(alice, text);
      await alice.ok(`sync`);
      await alice.ok(`push`);
      await bob.ok(`pull`);
      return (await bob.json([`restore`])).restored;
    };
    expect(await again(`And the shipping?`)).toMatchObject([{outcome: `appended`}, {outcome: `appended`, generation: 0}]);
    const grown = await fs.readFile(rollout!, `utf8`);
    expect(grown.startsWith(before) && grown.includes(`And the shipping?`)).toBe(true);

    const continued = `${grown}${JSON.stringify({timestamp: `2026-11-21T00:00:00.000Z`, type: `event_msg`, payload: {type: `user_message`, message: `on`, images: []}})}\n`;
    await fs.writeFile(rollout!, continued);
    expect((await bob.json([`restore`, `--agent`, `codex`])).restored).toMatchObject([{outcome: `continued`}]);
    expect((await again(`And the taxes?`))[1]).toMatchObject({agent: `codex`, outcome: `created`, generation: 1});
    expect(await fs.readFile(rollout!, `utf8`)).toBe(continued);
    expect(await bob.rollouts()).toHaveLength(2);
  });

  it(`--at makes a session of its own, that ends there`, async () => {
    const {bob} = await makeShared();
    await bob.ok(`restore`);
    const whole = (await bob.rollouts())[0]!;
    const text = await fs.readFile(whole, `utf8`);
    const {restored: [part]} = await bob.json([`restore`, SESSION, `--at`, `1`, `--agent`, `codex`]);
    expect(part).toMatchObject({agent: `codex`, outcome: `created`, records: 2});
    expect(part.path).not.toBe(whole);
    expect(await fs.readFile(whole, `utf8`)).toBe(text);
    expect((await bob.json([`restore`, SESSION, `--at`, `1`, `--agent`, `codex`])).restored).toMatchObject([{outcome: `unchanged`}]);
    for (const at of [`-1`, `x`, `${RECORDS}`, `1.5`])
      expect(await bob.json([`restore`, SESSION, `--at=${at}`], 1)).toMatchObject({code: `BAD_RECORD`});
    // Also for its own agent, beside the whole one.
    const {restored: [own]} = await bob.json([`restore`, SESSION, `--at`, `1`, `--agent`, `claude-code`]);
    expect(own).toMatchObject({agent: `claude-code`, outcome: `created`, records: 2});
    expect(own.id).not.toBe(SESSION);
  });

  it(`says what it cannot choose`, async () => {
    const {bob} = await makeShared(`handwritten`, null);
    const {exitCode, stderr} = await bob.cli(`restore`, `5e55`);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`  ${SESSION}  Warenkorb`);
    expect(await bob.json([`restore`, `--branch`, `nix`], 1)).toMatchObject({code: `UNKNOWN_SESSION`});
    expect(await bob.json([`restore`, `--branch`, `main`, `--dry-run`])).toMatchObject({session: SESSION});
    expect(await bob.json([`restore`, SESSION, `--agent`, `nix`], 1)).toMatchObject({code: `UNKNOWN_AGENT`});
    await fs.rm(path.join(bob.home, `.codex`), {recursive: true});
    await fs.rm(path.join(bob.home, `.claude`), {recursive: true});
    expect(await bob.json([`restore`, SESSION], 1)).toMatchObject({code: `NO_AGENT`});
    const {alice} = await makeWorld();
    expect(await alice.json([`restore`], 1)).toMatchObject({code: `UNKNOWN_SESSION`});
  });

  it(`says what differs from the checkout, and how to get there`, async () => {
    const {alice, bob} = await makeShared();
    const differences = async () => (await bob.json([`restore`, SESSION, `--dry-run`])).differences.join(`\n`);
    const at = (await alice.git(`rev-parse`, `HEAD`)).slice(0, 8);
    expect(await differences()).toBe(``);

    await fs.writeFile(path.join(bob.repo, `README.md`), `other\n`);
    expect(await differences()).toContain(`This working tree has changes that are not committed.`);
    await bob.git(`commit`, `-qam`, `other`);
    expect(await differences()).toContain(`This checkout is 1 commit ahead of ${at}`);
    await bob.git(`checkout`, `-q`, `-b`, `topic`, `HEAD~2`);
    expect(await differences()).toContain(`This checkout is 1 commit behind ${at}`);
    expect(await differences()).toContain(`The session was on branch main; this is topic.`);
    await bob.git(`checkout`, `-q`, `--detach`);
    expect(await differences()).toContain(`no branch is checked out here`);

    // At a commit that never left alice's machine, with changes.
    await fs.writeFile(path.join(alice.repo, `README.md`), `hers\n`);
    await alice.git(`commit`, `-qam`, `hers`);
    await fs.writeFile(path.join(alice.repo, `README.md`), `unsaved\n`);
    await grow(alice);
    await alice.ok(`sync`);
    await alice.ok(`push`);
    await bob.ok(`pull`);
    expect(await differences()).toContain(`which is not in this repository: \`git fetch --all\` may bring it`);
    expect(await differences()).toContain(`had changes that were not committed`);
    expect((await bob.cli(`restore`, SESSION, `--checkout`)).exitCode).toBe(1);
  });

  it(`--checkout restores in a worktree at the commit, and does not mind a second time`, async () => {
    const {bob} = await makeShared();
    const tree = `${bob.repo}-5e551000`;
    expect(await bob.json([`restore`, SESSION, `--checkout`, `--dry-run`])).toMatchObject({dryRun: true, differences: []});
    await expect(fs.access(tree)).rejects.toThrow();
    expect(await bob.json([`restore`, SESSION, `--checkout`])).toMatchObject({cwd: tree, restored: [{outcome: `created`}, {outcome: `created`}]});
    expect(await bob.json([`restore`, SESSION, `--checkout`])).toMatchObject({cwd: tree, restored: [{outcome: `unchanged`}, {outcome: `unchanged`}]});
    expect(await fs.readFile(bob.transcript(SESSION, tree), `utf8`)).toContain(tree);
  });
});
