import fc                            from 'fast-check';

import type {NeutralRecord, Part}    from '../../sources/interchange/index.ts';

/** Texts as sessions have them at their worst: other scripts, control characters, halves of surrogate pairs, markup. */
export function textArbitrary(): fc.Arbitrary<string> {
  return fc.oneof(
    {weight: 6, arbitrary: fc.string({unit: `grapheme`, maxLength: 60})},
    {weight: 2, arbitrary: fc.string({unit: `binary`, maxLength: 20})},
    {weight: 1, arbitrary: fc.array(fc.integer({min: 0, max: 0xffff}), {maxLength: 12}).map(units => String.fromCharCode(...units))},
    {weight: 2, arbitrary: fc.constantFrom(``, ` `, `\n`, `Grüße, 日本語 🎉`, `a\r\nb\r\n`, `\u0000\u001b[31mred\u2028`, `<environment_context>x</environment_context>`,
      `## My request for Codex:\n`, `*** End Patch\n*** Begin Patch`, `{"type":"response_item"}`, `\ud800`, `[Request interrupted by user]`)},
  );
}

/** Ids of calls, unique in a session; some that no API would take. */
function callIds(count: number): fc.Arbitrary<Array<string>> {
  return fc.uniqueArray(fc.oneof(
    fc.string({minLength: 1, maxLength: 100}),
    fc.nat().map(number => `toolu_${number.toString(16)}`),
    fc.constantFrom(`call|fc_1:/x`, `ä`, `a b`, `a_b`, `a/b`, `x`.repeat(65), `\n`),
  ), {minLength: count, maxLength: count});
}

function partArbitrary(large: boolean): fc.Arbitrary<Part> {
  const text = textArbitrary();
  return fc.oneof(
    {weight: 8, arbitrary: text.map(value => ({type: `text` as const, text: value}))},
    {weight: large ? 1 : 0, arbitrary: fc.tuple(text, fc.integer({min: 1_000, max: 30_000})).map(([value, times]) => ({type: `text` as const, text: (value === `` ? `x` : value).repeat(Math.ceil(times / Math.max(1, value.length)))}))},
    {weight: 1, arbitrary: fc.constantFrom(`image/png`, `image/svg+xml`).chain(mediaType => fc.option(fc.base64String({maxLength: 40}), {nil: undefined})
      .map(data => ({type: `image` as const, mediaType, ...data === undefined ? {bytes: 7} : {data}})))},
    {weight: 1, arbitrary: fc.jsonValue({maxDepth: 2}).map(value => ({type: `other` as const, name: `thing`, value: value as never}))},
  );
}

type Draft = {[key: string]: unknown};

function callArbitrary(): fc.Arbitrary<Draft> {
  const text = textArbitrary();
  const path = fc.oneof(fc.constantFrom(`/home/alice/shop/src/cart.js`, `src/cart.js`, `/tmp/x`, `C:\\work\\a.js`, `/home/alice/shop`), text);
  const input = fc.dictionary(fc.string({maxLength: 8}), fc.oneof(text, fc.integer(), fc.boolean()), {maxKeys: 3});
  const call = (tool: string, name: fc.Arbitrary<string>, args?: fc.Arbitrary<unknown>) => fc.record({
    tool: fc.constant(tool), name, input: tool === `other` ? fc.jsonValue({maxDepth: 3}) : input, ...args ? {args} : {},
  });

  return fc.oneof(
    call(`shell`, fc.constant(`Bash`), fc.record({command: text, workdir: path, background: fc.boolean()}, {requiredKeys: [`command`]})),
    call(`read`, fc.constant(`Read`), fc.record({path})),
    call(`edit`, fc.constant(`Edit`), fc.record({path, edits: fc.array(fc.record({old: text, new: text, all: fc.boolean()}, {requiredKeys: [`old`, `new`]}), {maxLength: 3})})),
    call(`write`, fc.constant(`Write`), fc.record({path, content: text})),
    call(`search`, fc.constant(`Grep`), fc.record({pattern: text, mode: fc.constantFrom(`content`, `files`)})),
    call(`fetch`, fc.constant(`WebFetch`), fc.record({url: text})),
    call(`plan`, fc.constant(`TodoWrite`), fc.record({items: fc.array(fc.record({step: text, status: fc.constantFrom(`pending`, `in_progress`, `completed`)}), {maxLength: 3}), text}, {requiredKeys: []})),
    call(`agent`, fc.constant(`Agent`), fc.record({prompt: text})),
    call(`mcp`, fc.constant(`mcp__server__tool`), fc.record({server: text, tool: text, arguments: fc.jsonValue({maxDepth: 2})})),
    call(`ask`, fc.constant(`AskUserQuestion`)),
    call(`other`, text),
  );
}

/** One step of a session; calls come with their results, a few at once. */
function stepArbitrary(large: boolean): fc.Arbitrary<{records: Array<Draft>; calls: Array<{call: Draft; result: Draft}>}> {
  const text = textArbitrary();
  const content = fc.array(partArbitrary(large), {maxLength: 3});
  const single = (record: fc.Arbitrary<Draft>) => record.map(one => ({records: [one], calls: []}));
  const kind = (name: string, fields: {[key: string]: fc.Arbitrary<unknown>}, requiredKeys: Array<string>) =>
    single(fc.record({kind: fc.constant(name), ...fields} as {[key: string]: fc.Arbitrary<unknown>}, {requiredKeys: [`kind`, ...requiredKeys]}));

  return fc.oneof(
    {weight: 4, arbitrary: kind(`prompt`, {content, midTurn: fc.boolean()}, [`content`])},
    {weight: 5, arbitrary: kind(`reply`, {text, message: fc.constant(`m`), final: fc.boolean(), partial: fc.boolean()}, [`text`])},
    {weight: 1, arbitrary: kind(`reasoning`, {text, signature: text}, [`text`])},
    {weight: 1, arbitrary: kind(`plan`, {text, items: fc.array(fc.record({step: text, status: fc.constantFrom(`pending`, `in_progress`, `completed`)}), {maxLength: 2})}, [])},
    {weight: 1, arbitrary: kind(`compaction`, {summary: text, trigger: fc.constantFrom(`manual`, `auto`), keep: fc.constant(`some`)}, [`summary`])},
    {weight: 1, arbitrary: kind(`interrupt`, {during: fc.constantFrom(`reply`, `tool`), text}, [`during`])},
    {weight: 1, arbitrary: kind(`title`, {title: text, origin: fc.constantFrom(`custom`, `generated`)}, [`title`, `origin`])},
    {weight: 1, arbitrary: kind(`model`, {model: text}, [`model`])},
    {weight: 1, arbitrary: kind(`note`, {what: fc.constant(`hook`), visible: fc.boolean(), text, bytes: fc.nat()}, [`what`])},
    {weight: 6, arbitrary: fc.array(fc.record({
      call: callArbitrary(),
      result: fc.record({content, error: fc.boolean(), exitCode: fc.nat(3), interrupted: fc.boolean(), denied: fc.boolean(),
        full: fc.constant({path: `/home/alice/out.txt`}),
        patch: fc.constant([{path: `/home/alice/shop/src/cart.js`, change: `update`, diff: `@@ -1 +1 @@\n-a\n+b\n`}])}, {requiredKeys: [`content`]}) as fc.Arbitrary<Draft>,
    }), {minLength: 1, maxLength: 3}).map(calls => ({records: [], calls}))},
  );
}

/**
 * Records of a linear session as `linearize` gives them: numbered from 0, each result after its call, calls of one step
 * before the results of that step. `open`: the last call may still wait for its result.
 */
export function sessionArbitrary({steps = 12, large = false, open = false}: {steps?: number; large?: boolean; open?: boolean} = {}): fc.Arbitrary<Array<NeutralRecord>> {
  return fc.array(stepArbitrary(large), {minLength: 1, maxLength: steps}).chain(chosen => {
    const count = chosen.reduce((sum, {calls}) => sum + calls.length, 0);
    return fc.tuple(callIds(count), fc.boolean(), fc.infiniteStream(fc.boolean())).map(([ids, cut, chance]) => {
      const records: Array<Draft> = [];
      const add = (draft: Draft) => {
        const seq = records.length;
        const time = new Date(Date.UTC(2026, 10, 20, 10, 0, seq)).toISOString();
        records.push({seq, ...draft, ...chance.next().value ? {time, id: `line-${seq}`} : {}});
      };

      let next = 0;
      for (const step of chosen) {
        for (const record of step.records) {
          const keep = record.keep === undefined ? {} : {keep: records.slice(-6).map(({seq}) => seq)};
          add({...record, ...keep});
        }
        const named = step.calls.map(({call, result}) => ({call: {kind: `call`, call: ids[next], ...call}, result: {kind: `result`, call: ids[next++], ...result}}));
        named.forEach(({call}) => add(call));
        named.forEach(({result}) => add(result));
      }
      if (open && cut && records.at(-1)!.kind === `result`)
        records.pop();
      return records as unknown as Array<NeutralRecord>;
    });
  });
}
