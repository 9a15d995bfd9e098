import {readFileSync, readdirSync}    from 'node:fs';
import path                           from 'node:path';
import {fileURLToPath}                from 'node:url';

import {describe, expect, it}         from 'vitest';

import {cline}                        from '../../../sources/agents/cline/index.ts';
import {render}                       from '../../../sources/agents/cline/render.ts';
import {linesOf, readLines, readerBattery, writerBattery} from '../_battery.ts';

const FIXTURES = path.join(path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url)))), `fixtures`, `cline`);

/** The journal that a recorded document becomes. */
function journal(name: string): string {
  const [id] = readdirSync(path.join(FIXTURES, name));
  const {messages} = JSON.parse(readFileSync(path.join(FIXTURES, name, id!, `${id}.messages.json`), `utf8`)) as {messages: Array<object>};
  return messages.map(message => `${JSON.stringify({type: `message`, message})}\n`).join(``);
}

readerBattery(cline.source!, [{name: `01-tools`, text: journal(`01-tools`)}]);

writerBattery({
  target: cline.target!,
  writing: {
    header: {format: `session-sync/1`, session: `6c2f64c5-6a4b-4f0c-9c5a-0d1f4f0e7a11`, agent: {id: `claude-code`, nativeId: `x`}, created: `2026-11-20T10:00:00.000Z`, roots: {}, counts: {}},
    id: `6c2f64c5-6a4b-4f0c-9c5a-0d1f4f0e7a12`, cwd: `/home/alice/shop`, settings: {},
  },
  check(text) {
    const {messages} = render(text);
    const waiting = new Set<unknown>();
    for (const {role, content} of messages) {
      for (const block of content as Array<{type: string; id?: string; tool_use_id?: string; name?: string}>) {
        if (role === `assistant`)
          expect(block.type === `tool_result`).toBe(false);
        if (block.type === `tool_result`) {
          expect(waiting.delete(block.tool_use_id)).toBe(true);
          expect(block.name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
        } else {
          // Nothing stands between calls and their results.
          if (block.type !== `tool_use` && role === `user`)
            expect(waiting.size).toBe(0);
          if (block.type === `tool_use`)
            waiting.add(block.id);
        }
      }
    }
    expect(waiting.size).toBe(0);
    expect(new Set(messages.map(({id}) => id)).size).toBe(messages.length);
  },
});

describe(`a document of Cline`, () => {
  it(`gives prompts without what is put around them, calls, results, and what failed`, () => {
    const {records} = readLines(cline.source!, linesOf(journal(`01-tools`)), {name: `messages.jsonl`});
    expect(records.find(({kind}) => kind === `prompt`)).toMatchObject({content: [{type: `text`, text: `clean up the shop größe`}]});
    expect(records.flatMap(record => record.kind === `call` ? [[record.name, record.tool]] : [])).toEqual([
      [`run_commands`, `shell`], [`read_files`, `read`], [`run_commands`, `shell`], [`editor`, `write`], [`editor`, `edit`], [`search_codebase`, `search`], [`nowhere`, `other`],
    ]);
    const results = records.filter(record => record.kind === `result`);
    expect(results[0]).toMatchObject({content: [{text: `README.md\nhi\n`}, {text: `two\n`}]});
    expect(results[2]).toMatchObject({error: true, exitCode: 3});
    expect(records.at(-1)).toMatchObject({kind: `reply`, text: `All done ✅.`, final: true});
  });

  it(`goes on at the place that it was cut back to`, () => {
    const message = (role: string, text: string) => `${JSON.stringify({type: `message`, message: {role, content: [{type: `text`, text}]}})}\n`;
    const text = `${message(`user`, `One`)}${message(`assistant`, `A`)}${message(`user`, `Two`)}{"type":"cut","at":2}\n${message(`user`, `Two again`)}`;
    const {records} = readLines(cline.source!, linesOf(text), {name: `messages.jsonl`});
    expect(records.map(({kind, parent}) => [kind, parent])).toEqual([[`prompt`, undefined], [`reply`, undefined], [`prompt`, undefined], [`branch`, 1], [`prompt`, undefined]]);
  });
});
