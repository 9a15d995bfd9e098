import {spawnSync}                                from 'node:child_process';
import {chmod, mkdir, readFile, writeFile}        from 'node:fs/promises';
import path                                       from 'node:path';
import {parse}                                    from 'jsonc-parser';
import {describe, expect, it}                     from 'vitest';

import {COMMAND}                                  from '../../../sources/agents/claude-code/hooks.ts';
import {claudeCode}                               from '../../../sources/agents/claude-code/index.ts';
import {temporaryFolders}                         from '../../_temporary.ts';

const hooks = claudeCode.hooks!;
const makeFolder = temporaryFolders();

const EVENTS = [`Notification`, `PostToolUse`, `PostToolUseFailure`, `PreCompact`, `SessionEnd`, `SessionStart`, `Stop`, `SubagentStop`, `UserPromptSubmit`];

const FOREIGN = `{
  // who may do what
  "permissions": {"allow": ["Bash(ls:*)"]}, /* keep */
  "hooks": {
    "PostToolUse": [
      // format what was written
      {"matcher": "Write|Edit", "hooks": [{"type": "command", "command": "prettier --write", "timeout": 9}]},
    ],
    "PreToolUse": [{"hooks": [{"type": "command", "command": "guard"}]}],
  },
}
`;

describe(`install`, () => {
  it(`makes a file where none is`, () => {
    const {text, summary} = hooks.install(null);
    const settings = JSON.parse(text);
    expect(Object.keys(settings.hooks).sort()).toEqual(EVENTS);
    for (const event of EVENTS)
      expect(settings.hooks[event]).toEqual([{hooks: [{type: `command`, command: COMMAND, timeout: 5, ...event === `Stop` || event === `SessionEnd` ? {} : {async: true}}]}]);
    expect(summary).toHaveLength(EVENTS.length);
    expect(text.endsWith(`}\n`)).toBe(true);
    expect(hooks.install(`  \n`).text).toBe(text);
    expect(hooks.installed(text)).toBe(`yes`);
  });

  it(`leaves everything else as it is`, () => {
    const {text} = hooks.install(FOREIGN);
    for (const kept of [`// who may do what`, `"permissions": {"allow": ["Bash(ls:*)"]}, /* keep */`, `// format what was written`, `{"matcher": "Write|Edit", "hooks": [{"type": "command", "command": "prettier --write", "timeout": 9}]}`])
      expect(text).toContain(kept);
    const settings = parse(text, [], {allowTrailingComma: true});
    expect(settings.hooks.PostToolUse).toHaveLength(2);
    // Every line that was there is there still, in order.
    const lines = text.split(`\n`);
    for (const line of FOREIGN.split(`\n`))
      expect(lines.splice(0, lines.indexOf(line) + 1)).toContain(line);
    expect(settings.hooks.PreToolUse).toEqual([{hooks: [{type: `command`, command: `guard`}]}]);
    expect(hooks.installed(text)).toBe(`yes`);
  });

  it.each([[`nothing`, `{}`], [`foreign hooks`, FOREIGN], [`tabs`, `{\n\t"hooks": {\n\t\t"Stop": []\n\t}\n}`], [`CRLF`, `{\r\n  "a": 1\r\n}\r\n`], [`one line`, `{"hooks":{"Stop":[{"hooks":[{"type":"command","command":"x"}]}]}}`]])(`does nothing the second time: %s`, (_, before) => {
    const once = hooks.install(before);
    const twice = hooks.install(once.text);
    expect(twice).toEqual({text: once.text, summary: []});
    expect(once.summary).toHaveLength(EVENTS.length);
  });

  it(`writes as the file is written`, () => {
    expect(hooks.install(`{\n\t"a": 1\n}\n`).text).toContain(`\n\t"hooks": {\n\t\t"SessionStart": [`);
    expect(hooks.install(`{\n    "a": 1\n}\n`).text).toContain(`\n    "hooks": {\n        "SessionStart": [`);
    expect(hooks.install(`{\r\n  "a": 1\r\n}\r\n`).text.replaceAll(`\r\n`, ``)).not.toContain(`\n`);
  });

  it(`replaces older variants, wherever they are`, () => {
    const old = JSON.stringify({hooks: {
      Stop: [{hooks: [{type: `command`, command: `other`}, {type: `command`, command: `session-sync-hook claude-code`}]}],
      PostToolUse: [{matcher: `Bash`, hooks: [{type: `command`, command: COMMAND, timeout: 5, async: true}]}],
      PostCompact: [{hooks: [{type: `command`, command: `npx session-sync-hook`}]}],
      SessionEnd: [{hooks: [{type: `command`, command: COMMAND, timeout: 5}]}, {hooks: [{type: `command`, command: COMMAND, timeout: 5}]}],
    }});
    expect(hooks.installed(old)).toBe(`partly`);
    const {text, summary} = hooks.install(old);
    const settings = JSON.parse(text);
    expect(settings.hooks.PostCompact).toBeUndefined();
    expect(settings.hooks.Stop).toEqual([{hooks: [{type: `command`, command: `other`}]}, {hooks: [{type: `command`, command: COMMAND, timeout: 5}]}]);
    expect(settings.hooks.PostToolUse).toEqual([{hooks: [{type: `command`, command: COMMAND, timeout: 5, async: true}]}]);
    expect(settings.hooks.SessionEnd).toHaveLength(1);
    expect(summary).toEqual(expect.arrayContaining([`update the hook for Stop`, `add a hook for SessionStart`, `remove the old hook for PostCompact`]));
    expect(hooks.installed(text)).toBe(`yes`);
  });
});

describe(`remove`, () => {
  it.each([[`nothing`, `{}`], [`foreign hooks`, FOREIGN], [`tabs`, `{\n\t"permissions": {}\n}\n`], [`CRLF`, `{\r\n  "a": 1\r\n}\r\n`], [`one line`, `{"a":1,"hooks":{"Stop":[{"hooks":[{"type":"command","command":"x"}]}]}}`]])(`undoes install: %s`, (_, before) => {
    const removed = hooks.remove(hooks.install(before).text)!;
    expect(parse(removed.text!, [], {allowTrailingComma: true})).toEqual(parse(before, [], {allowTrailingComma: true}));
    // Files with a line for each entry come out as they went in.
    if (before.includes(`\n`) && before !== FOREIGN)
      expect(removed.text).toBe(before);
    expect(removed.text!.match(/\/\/.*|\/\*.*?\*\//g)).toEqual(before.match(/\/\/.*|\/\*.*?\*\//g));
    expect(removed.summary).toHaveLength(EVENTS.length);
    expect(hooks.installed(removed.text)).toBe(`no`);
  });

  it(`gives back a file with foreign hooks byte for byte`, () => {
    expect(hooks.remove(hooks.install(FOREIGN).text)!.text).toBe(FOREIGN);
  });

  it.each([
    `{\n  "a": 1 // the last\n}\n`,
    `{\n  // nothing yet\n}\n`,
    `{\n  "hooks": {\n    "Stop": [\n      {"hooks": [{"type": "command", "command": "x"}]} // mine\n    ] /* end */\n  } // of hooks\n}\n`,
    `\ufeff{\n  "a": 1,\n}\n`,
    `{"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "x"}]}], "PreToolUse": []}}`,
    `{\n  "url": "http://x/*y*/", // {"hooks": [\n  "b": ["}"]\n}`,
  ])(`and one with comments in odd places: %j`, before => {
    const {text} = hooks.install(before);
    expect(hooks.installed(text)).toBe(`yes`);
    expect(hooks.install(text).text).toBe(text);
    const removed = hooks.remove(text)!.text!;
    expect(removed.replace(/\s/g, ``)).toBe(before.replace(/\s/g, ``));
  });

  it(`says when there was nothing`, () => {
    expect(hooks.remove(FOREIGN)).toBeNull();
    expect(hooks.remove(``)).toBeNull();
    expect(hooks.installed(FOREIGN)).toBe(`no`);
    expect(hooks.installed(null)).toBe(`no`);
  });

  it(`takes ours out of a group that has others`, () => {
    const text = JSON.stringify({hooks: {Stop: [{matcher: ``, hooks: [{type: `command`, command: `a`}, {type: `command`, command: COMMAND}, {type: `command`, command: `b`}]}]}});
    expect(JSON.parse(hooks.remove(text)!.text!)).toEqual({hooks: {Stop: [{matcher: ``, hooks: [{type: `command`, command: `a`}, {type: `command`, command: `b`}]}]}});
  });
});

describe(`settings that cannot be understood`, () => {
  it.each([
    [`{"a": 1`, /line 1, column 8/],
    [`{\n  "a": 1\n  "b": 2\n}`, /line 3, column 3/],
    [`[]`, /line 1, column 1/],
    [`"text"`, /object/],
    [`{"hooks": []}`, /hooks should be an object.*line 1, column 11/],
    [`{"hooks": {"Stop": {}}}`, /hooks\.Stop should be an array/],
    [`{"hooks": {"Stop": ["x"]}}`, /hooks\.Stop\[0\] should be an object/],
    [`{"hooks": {"Stop": [{"hooks": 7}]}}`, /hooks\.Stop\[0\]\.hooks should be an array/],
    [`{"hooks": {"Stop": [{"hooks": ["x"]}]}}`, /hooks\.Stop\[0\]\.hooks\[0\] should be an object/],
    [`{"hooks": {}, "hooks": {}}`, /"hooks" twice/],
    [`{"hooks": {"Stop": [], "Stop": []}}`, /"Stop" twice/],
    [`{"a": 1} trailing`, /line 1, column 10/],
  ])(`%s`, (text, message) => {
    for (const act of [() => hooks.install(text), () => hooks.remove(text), () => hooks.installed(text)])
      expect(act).toThrow(expect.objectContaining({code: `SETTINGS_UNREADABLE`, message: expect.stringMatching(message)}));
  });
});

it(`names the person's own file and the team's`, () => {
  expect(hooks.settingsPath({} as never, `/home/alice/shop`, {local: false})).toBe(`/home/alice/shop/.claude/settings.json`);
  expect(hooks.settingsPath({} as never, `/home/alice/shop`, {local: true})).toBe(`/home/alice/shop/.claude/settings.local.json`);
});

describe(`the command`, () => {
  async function run(script: string | null, shell: string, input = `{}`) {
    const home = await makeFolder();
    const bin = path.join(home, `bin`);
    await mkdir(bin);
    if (script !== null) {
      await writeFile(path.join(bin, `session-sync-hook`), script);
      await chmod(path.join(bin, `session-sync-hook`), 0o755);
    }
    // A shell that ends without reading may be gone before the input is written; that is no fault of its own.
    const {status, error, stdout} = spawnSync(shell, [`-c`, COMMAND], {env: {PATH: `${bin}:/usr/bin:/bin`, HOME: home, CLAUDE_PROJECT_DIR: `/home/alice/my shop`}, input, stdio: [`pipe`, `pipe`, `pipe`], timeout: 10_000, encoding: `utf8`});
    expect({status, error: (error as NodeJS.ErrnoException | undefined)?.code ?? `EPIPE`}).toEqual({status: 0, error: `EPIPE`});
    return {stdout, seen: await readFile(path.join(home, `seen`), `utf8`).catch(() => null)};
  }

  it.each([`sh`, `bash`])(`is silent and harmless in %s where the program is missing, broken or fails`, async shell => {
    for (const script of [null, `#!/nowhere/sh\n`, `#!/bin/sh\necho noise\necho more >&2\nexit 2\n`, `#!/bin/sh\nkill -9 $$\n`])
      expect(await run(script, shell)).toEqual({stdout: ``, seen: null});
  });

  it.each([`sh`, `bash`])(`hands the event to the program in %s`, async shell => {
    expect(await run(`#!/bin/sh\n{ printf '%s|' "$@"; cat; } > "$HOME/seen"\n`, shell, `{"x":1}`)).toEqual({stdout: ``, seen: `claude-code|/home/alice/my shop|{"x":1}`});
  });
});
