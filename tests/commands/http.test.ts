import * as fs                      from 'node:fs/promises';
import path                         from 'node:path';
import {afterEach, describe, expect, it} from 'vitest';

import {serveGit}                   from './_httpServer.ts';
import {RECORDS, SESSION, grow, makeKept} from './_runCli.ts';
import type {Person}                from './_runCli.ts';

describe(`a remote over HTTP that asks for a password`, {timeout: 180_000}, () => {
  let server: Awaited<ReturnType<typeof serveGit>>;

  afterEach(async () => {
    await server?.close();
  });

  async function team() {
    const {alice, bob, world, remote} = await makeKept();
    server = await serveGit(world, {user: `alice`, password: `sesame`});
    const address = server.address(path.basename(remote));
    await alice.git(`remote`, `set-url`, `origin`, address);
    // As a keychain gives it.
    const knows = async (person: Person, repo = person.repo) => await person.git(`-C`, repo, `config`, `credential.helper`, `!f() { echo username=alice; echo password=sesame; }; f`);
    await knows(alice);
    return {alice, bob, address, knows};
  }

  it(`takes sessions, lists them, and gives out one, also out of an archive`, async () => {
    const {alice, bob, address, knows} = await team();
    expect(await alice.ok(`push`)).toContain(`Pushed 2 refs to origin`);
    await grow(alice);
    await alice.ok(`sync`);
    await alice.ok(`push`);

    await bob.git(`-c`, `credential.helper=!f() { echo username=alice; echo password=sesame; }; f`, `clone`, `-q`, address, bob.repo);
    await knows(bob);
    expect(await bob.git(`for-each-ref`, `refs/session-sync`)).toBe(``);
    expect((await bob.json([`list`, `--remote`])).sessions).toMatchObject([{session: SESSION}]);
    expect(await bob.git(`for-each-ref`, `refs/session-sync-remotes/origin/s`)).toBe(``);
    expect(await bob.json([`pull`, `--session`, `5e55`])).toMatchObject({updated: 1, missing: [], sessions: [{session: SESSION}]});
    expect(await bob.json([`restore`, `--agent`, `codex`])).toMatchObject({session: SESSION, restored: [{outcome: `created`}], failed: []});

    await alice.ok(`archive`, `--session`, SESSION, `--yes`);
    expect((await bob.json([`list`, `--remote`])).sessions).toEqual([]);
    expect((await bob.json([`list`, `--remote`, `--archived`])).sessions).toMatchObject([{session: SESSION}]);
    for (const line of (await bob.git(`for-each-ref`, `--format=%(refname)`, `refs/session-sync*`)).split(`\n`).filter(Boolean))
      await bob.git(`update-ref`, `-d`, line);
    expect(await bob.json([`pull`, `--session`, SESSION])).toMatchObject({missing: [], sessions: [{session: SESSION}]});
    expect((await bob.json([`list`])).sessions).toMatchObject([{session: SESSION, records: RECORDS + 1}]);
  });

  it(`says what is wrong without the password, and changes nothing`, async () => {
    const {alice} = await team();
    await alice.git(`config`, `--unset`, `credential.helper`);
    const before = await alice.refs();
    for (const verb of [`push`, `pull`]) {
      const {exitCode, stderr} = await alice.cli(verb);
      expect(exitCode).toBe(1);
      expect(stderr).toMatch(/could not read Username|Authentication failed|terminal prompts disabled/);
    }
    expect(await alice.refs()).toBe(before);
  });

  it(`keeps a password that stands in its address out of everything that is printed or stored`, async () => {
    const {alice, address} = await team();
    await alice.git(`config`, `--unset`, `credential.helper`);
    await alice.git(`remote`, `set-url`, `origin`, address.replace(`//`, `//alice:sesame@`));
    await grow(alice);
    await alice.ok(`sync`);
    const printed = [await alice.ok(`push`), await alice.ok(`status`), await alice.ok(`list`, `--remote`), await alice.ok(`show`, SESSION), await alice.ok(`doctor`), JSON.stringify(await alice.json([`push`]))];
    await server.close();
    for (const verb of [`push`, `pull`]) {
      const {exitCode, stdout, stderr} = await alice.cli(verb);
      expect(exitCode).toBe(1);
      printed.push(stdout, stderr);
    }
    expect(printed.join(``)).not.toContain(`sesame`);
    const stored = await alice.git(`cat-file`, `--batch-check=%(objectname)`, `--batch-all-objects`);
    for (const oid of stored.trim().split(`\n`))
      expect(await alice.git(`cat-file`, `-p`, oid)).not.toContain(`sesame`);
    for (const name of await fs.readdir(path.join(alice.repo, `.git/session-sync`), {recursive: true, withFileTypes: true}))
      if (name.isFile())
        expect(await fs.readFile(path.join(name.parentPath, name.name), `utf8`), name.name).not.toContain(`sesame`);
  });
});
