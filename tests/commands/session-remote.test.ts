import path                                  from 'node:path';
import {afterEach, describe, expect, it, vi} from 'vitest';

import {SESSION, makeKept}                   from './_runCli.ts';
import {sent, settled, work}                 from './_auto.ts';

// Real pushes beside one another, on a machine that may be busy.
vi.setConfig({testTimeout: 120_000});

const ends: Array<() => Promise<unknown>> = [];
afterEach(async () => {
  for (const end of ends.splice(0))
    await end();
});

/** alice's project is public, her sessions are not. */
async function apart() {
  const made = await makeKept();
  ends.push(async () => await settled(made.world));
  const sessions = path.join(made.world, `sessions.git`);
  await made.alice.git(`init`, `-q`, `--bare`, sessions);
  return {...made, sessions};
}

describe(`init --remote`, () => {
  it(`with an address: sessions go there and come from there, and plain git does not know of it`, async () => {
    const {alice, bob, remote, sessions, world} = await apart();
    const said = await alice.ok(`init`, `--remote`, sessions, `--auto-push`);
    expect(said).toContain(`Sessions will go to and come from session-sync (${sessions})`);
    expect(said).not.toContain(`git push origin`);
    expect(await alice.json([`init`])).toMatchObject({sharing: {remote: `session-sync`}});

    await work(alice);
    await alice.git(`push`, `-q`, `origin`, `main`);
    await settled(world);
    expect([await sent(alice, remote), (await sent(alice, sessions)).length]).toEqual([[], 2]);
    expect(await alice.json([`push`])).toMatchObject({remote: `session-sync`, pushed: []});
    for (const args of [[`fetch`, `-q`, `--all`], [`remote`, `update`], [`fetch`, `-q`], [`pull`, `-q`, `origin`, `main`]])
      await alice.git(...args);
    expect(await alice.git(`for-each-ref`, `--format=%(refname)`, `refs/remotes`)).toBe(`refs/remotes/origin/main\n`);
    expect(await alice.git(`branch`, `-a`)).not.toContain(`session`);

    await bob.git(`clone`, `-q`, remote, bob.repo);
    await bob.ok(`init`, `--remote`, sessions);
    expect((await bob.json([`list`, `--remote`])).sessions).toMatchObject([{session: SESSION}]);
    expect(await bob.json([`pull`])).toMatchObject({remote: `session-sync`, sessions: [{session: SESSION}]});
    expect(await bob.json([`restore`, SESSION, `--agent`, `codex`])).toMatchObject({restored: [{outcome: `created`}]});

    // Whoever names the other one means it.
    await alice.ok(`push`, `origin`);
    expect(await sent(alice, remote)).toHaveLength(2);
  });

  it(`never falls back to another one, whatever a committed file names`, async () => {
    const {alice, remote, sessions} = await apart();
    await alice.ok(`init`, `--remote`, sessions);
    await alice.program(`sh`, `-c`, `echo '{"version": 1, "remote": "origin"}' > .session-sync/config.json`);
    expect(await alice.json([`push`, `--dry-run`])).toMatchObject({remote: `session-sync`});
    await alice.git(`remote`, `remove`, `session-sync`);
    for (const verb of [`push`, `pull`])
      expect(await alice.json([verb], 1)).toMatchObject({code: `NO_REMOTE`, message: expect.stringContaining(`session-sync`)});
    expect(await alice.json([`init`, `--auto-push`], 1)).toMatchObject({code: `NO_REMOTE`});
    expect(await sent(alice, remote)).toEqual([]);
  });

  it(`with a name takes that remote; another address replaces ours; somebody else's is left alone`, async () => {
    const {alice, sessions, world} = await apart();
    await alice.git(`remote`, `add`, `private`, sessions);
    expect(await alice.json([`init`, `--remote`, `private`])).toMatchObject({sharing: {remote: `private`}});
    expect(await alice.json([`push`])).toMatchObject({remote: `private`});
    for (const address of [path.join(world, `a.git`), `https://alice:secret@127.0.0.1:1/b.git`]) {
      const said = await alice.ok(`init`, `--remote`, address);
      expect(said).toContain(`session-sync`);
      expect(said).not.toContain(`secret`);
      expect(await alice.git(`remote`, `get-url`, `session-sync`)).toBe(`${address}\n`);
    }
    expect(await alice.json([`init`, `--remote`, `nowhere`], 1)).toMatchObject({code: `NO_REMOTE`});
    expect((await alice.cli(`init`, `--remote=--upload-pack=x/y`)).exitCode).toBe(1);

    await alice.ok(`uninit`);
    expect(await alice.git(`remote`)).toBe(`origin\nprivate\n`);
    await alice.git(`remote`, `add`, `session-sync`, sessions);
    expect(await alice.json([`init`, `--remote`, path.join(world, `c.git`)], 1)).toMatchObject({code: `REMOTE_TAKEN`});
    await alice.ok(`init`, `--remote`, `session-sync`);
    await alice.ok(`uninit`);
    expect(await alice.git(`remote`, `get-url`, `session-sync`)).toBe(`${sessions}\n`);
  });
});
