import {describe, expect, it}                 from 'vitest';

import type {Json}                            from '../../sources/interchange/types.ts';
import {RedactionOptionError, createRedactor} from '../../sources/redaction/index.ts';
import type {RedactionOptions}                from '../../sources/redaction/index.ts';
import {createPrefilter}                      from '../../sources/redaction/prefilter.ts';
import {chars, contextSamples, pem, tokenSamples} from './_samples.ts';

const redactor = createRedactor();

async function redactValue(value: Json, options?: RedactionOptions) {
  const text = JSON.stringify(value);
  const redacted = await (options === undefined ? redactor : createRedactor(options)).line(text, value);
  return {...redacted, before: text, value: JSON.parse(redacted.text) as Json};
}

/** Ways in which a secret gets into a transcript. */
const WRAPPINGS: Array<[string, (text: string) => Json]> = [
  [`on its own`, text => ({type: `user`, message: {content: text}})],
  [`among lines`, text => ({content: `before\n${text}\nafter`})],
  [`in quotes`, text => ({content: `x "${text}" y`})],
  [`in JSON in a string`, text => ({arguments: JSON.stringify({cmd: `echo ${text}`})})],
  [`in JSON in JSON in a string`, text => ({a: JSON.stringify({b: JSON.stringify({c: `echo\n${text}\n`})})})],
  [`in lines of a diff`, text => ({lines: [`+a`, `+${text}`]})],
  [`beside other alphabets`, text => ({content: `→ ${text} ←`})],
];

describe(`what is found`, () => {
  const samples = [...tokenSamples(), ...contextSamples()];

  it.each(WRAPPINGS)(`takes out every sample %s, once and for all`, async (_name, wrap) => {
    const missed: Array<string> = [];
    for (const {rule, secret, text} of samples) {
      const value = wrap(text ?? secret);
      const once = await redactValue(value);
      const inner = JSON.stringify(secret).slice(1, -1);
      if (once.text.includes(inner) || once.counts === null)
        missed.push(`${rule}: ${once.before}`);
      const twice = await redactor.line(once.text, once.value);
      expect(twice).toEqual({text: once.text, counts: null});
    }
    expect(missed).toEqual([]);
  });

  it(`names the rule in the placeholder, and keeps what stands around it`, async () => {
    for (const {rule, secret} of tokenSamples()) {
      const {value, counts} = await redactValue({content: `a ${secret} b`});
      expect(value).toEqual({content: `a [REDACTED:${rule}] b`});
      expect(counts).toEqual({[rule]: 1});
    }
  });

  it(`needs no guess at randomness for tokens with a shape`, async () => {
    for (const {secret} of tokenSamples())
      expect((await redactValue({content: `x\n${secret}\n`}, {entropy: false})).text).not.toContain(JSON.stringify(secret).slice(1, -1));
  });

  it(`has a prefilter that says no to none of them, raw or decoded`, () => {
    for (const entropy of [true, false]) {
      const suspects = createPrefilter({entropy});
      for (const {rule, secret, text} of samples) {
        if (!entropy && rule === `entropy`)
          continue;
        for (const [, wrap] of WRAPPINGS)
          expect(suspects(JSON.stringify(wrap(text ?? secret))), `${rule} ${secret}`).toBe(true);
        expect(suspects(`x\n${text ?? secret}\n`), `${rule} ${secret}`).toBe(true);
      }
    }
  });

  it(`finds tokens behind an escape of a URL`, async () => {
    for (const {secret, rule} of tokenSamples())
      if (rule !== `private-key` && encodeURIComponent(secret) === secret)
        expect((await redactValue({url: `https://example.com/?q%3D${secret}%26z`})).text).not.toContain(secret);
  });

  it(`goes by the names of fields`, async () => {
    const {value} = await redactValue({
      input: {password: `Tr0ub4dor&3`, dbPassword: `hunter22`, clientSecret: `a1b2c3d4x5y6`, keyword: `a1b2c3d4e5f6`, env: [{name: `API_KEY`, value: `a1B2c3D4e5F6g7`}]},
    });
    expect(value).toEqual({
      input: {password: `[REDACTED:assigned]`, dbPassword: `[REDACTED:assigned]`, clientSecret: `[REDACTED:assigned]`, keyword: `a1b2c3d4e5f6`, env: [{name: `API_KEY`, value: `[REDACTED:assigned]`}]},
    });
  });

  it(`finds them in names of fields`, async () => {
    const token = `gh` + `p_` + chars(`word`, 36, `key`);
    expect((await redactValue({[token]: 1})).value).toEqual({'[REDACTED:github]': 1});
  });

  it(`replaces a secret everywhere in its line, however it is written there`, async () => {
    const secret = `Tr0ub"4dor\\3`;
    const {value, counts} = await redactValue({
      input: {password: secret}, output: `you said ${secret}, I say ${secret}`, nested: JSON.stringify({x: `<${secret}>`}), url: `/?p=${encodeURIComponent(secret)}`,
    });
    expect(value).toEqual({
      input: {password: `[REDACTED:assigned]`}, output: `you said [REDACTED:assigned], I say [REDACTED:assigned]`, nested: `{"x":"<[REDACTED:assigned]>"}`, url: `/?p=[REDACTED:assigned]`,
    });
    expect(counts).toEqual({assigned: 5});
  });

  it(`takes a private key apart from what is around it, however it is shown`, async () => {
    const key = pem(`RSA `, 7);
    const lines = key.split(`\n`);
    const shown = [
      key,
      key.replaceAll(`\n`, `\r\n`),
      key.replaceAll(`\n`, `\\n`),
      lines.map((line, n) => `${n + 1}\t${line}`).join(`\n`),
      lines.map((line, n) => `${String(n + 1).padStart(6)}→${line}`).join(`\n`),
      lines.map(line => `+${line}`).join(`\n`),
      // Cut off by a limit.
      lines.slice(0, 9).join(`\n`),
      lines.slice(0, 9).map((line, n) => `${n + 1}\t${line}`).join(`\n`),
    ];
    for (const text of shown) {
      const {value} = await redactValue({content: `see\n${text}\nend`});
      expect((value as {content: string}).content).toMatch(/^see\n(?:\s*\d+[\t→]|\+)?\[REDACTED:private-key\]\nend$/);
    }
    // Lines of an array: each is its own string.
    const {text} = await redactValue({patch: {lines: lines.map(line => `+${line}`)}});
    for (const line of lines.slice(1, -2))
      expect(text).not.toContain(line);
  });

  it(`finds what is secret in free text and in whole JSON files`, async () => {
    const token = `gh` + `p_` + chars(`word`, 36, `text`);
    expect(await redactor.text(`a\n${token}\nb`)).toEqual({text: `a\n[REDACTED:github]\nb`, counts: {github: 1}});
    expect(await redactor.text(`{\n  "id": "msg_01${chars(`word`, 22, 1)}",\n  "password": "hunter22"\n}\n`)).toMatchObject({counts: {assigned: 1}});
    expect(await redactor.text(`\0${token}`)).toEqual({text: `\0${token}`, counts: null});
  });

  it(`looks at a line that is no JSON as text`, async () => {
    const token = `gh` + `p_` + chars(`word`, 36, `torn`);
    const torn = `{"type":"user","message":{"content":"x\\n${token}`;
    expect((await redactor.line(torn, undefined)).text).toBe(`{"type":"user","message":{"content":"x\\n[REDACTED:github]`);
  });
});

describe(`what stays`, () => {
  const hex = (length: number) => chars(`hex`, length, `stay`);
  const word = (length: number) => chars(`word`, length, `stay`);
  const stays: Array<[string, Json]> = [
    [`ids of Claude Code`, {uuid: `0f8fad5b-d9cb-469f-a165-70867728950e`, parentUuid: `7c9e6679-7425-40de-944b-e07fc1f90ae7`, requestId: `req_01${word(22)}`, message: {id: `msg_01${word(22)}`, content: [{type: `tool_use`, id: `toolu_01${word(22)}`}]}}],
    [`ids of Codex`, {type: `response_item`, payload: {type: `function_call`, id: `fc_${hex(48)}`, call_id: `call_${word(24)}`, name: `shell`}}],
    [`ids in text`, {content: `task toolu_01${word(22)} and call_${word(24)} of 7c9e6679-7425-40de-944b-e07fc1f90ae7`}],
    [`thinking`, {type: `thinking`, thinking: ``, signature: `${chars(`base64`, 398, 1)}==`}],
    [`reasoning of Codex`, {type: `reasoning`, encrypted_content: `gAAAAAB${chars(`url`, 180, 1)}==`}],
    [`images`, {type: `image`, source: {type: `base64`, media_type: `image/png`, data: `iVBORw0KGgo${chars(`base64`, 5000, 1)}=`}}],
    [`images in text`, {content: `![](data:image/png;base64,${chars(`base64`, 120, 2)}=)`}],
    [`commits`, {content: `commit ${hex(40)}\nindex ${hex(7)}..${hex(8)}\n${hex(64)}`}],
    [`lock files`, {content: `"integrity": "sha512-${chars(`base64`, 86, 3)}==",\nchecksum: 10c0/${hex(128)}\nh1:${chars(`base64`, 43, 4)}=`}],
    [`digests`, {content: `sha256:${hex(64)} sha256-${chars(`base64`, 43, 5)}= SHA256:${chars(`base64`, 43, 5)}`}],
    [`paths`, {cwd: `/home/alice/shop`, content: `/home/alice/shop/node_modules/.pnpm/@babel+core@7.24.0/node_modules/@babel/core/lib/transformation/file/file.js:42:7`}],
    [`versions`, {version: `2.1.330`, content: `v20.20.2 1.2.3-rc.4+build.5 2024-01-01T00:00:00.000Z`}],
    [`public keys`, {content: `-----BEGIN CERTIFICATE-----\n${chars(`base64`, 64, 6)}\n${chars(`base64`, 64, 7)}\n-----END CERTIFICATE-----`}],
    [`usage`, {usage: {input_tokens: 1234567, cache_creation_input_tokens: 123456, output_tokens: 12}, max_tokens: 4096}],
    [`code about secrets`, {content: [
      `const token = tokens[index + 1];`, `password: string;`, `if (password === confirmPassword)`, `apiKey: process.env.API_KEY,`, `secret = getSecret(name)`, `{"token": "Punctuator"}`,
      `password: "Enter your password"`, `API_KEY=<your key>`, `PASSWORD=\${DB_PASSWORD}`, `Authorization: Bearer $TOKEN`, `key: "some-value-1234"`, `const tokenType = "access_token_2";`, `secretKey: config.secretKey1,`,
      `token: next_page_token_here`, `https://user:password@example.com`, `Authorization: Basic <credentials>`, `basic understanding of things`, `sk-learn-contrib-something-else`,
    ].join(`\n`)}],
    [`identifiers`, {content: `CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC getElementsByTagNameNS2 handleHTTPRequestV2ForUser3 index-BDnqZat0.js com.example.shop.CartServiceImplV2Test`}],
  ];
  it.each(stays)(`%s`, async (_name, value) => {
    const text = JSON.stringify(value);
    expect(await redactor.line(text, value)).toEqual({text, counts: null});
  });

  it(`every byte around a secret, odd spelling of the JSON included`, async () => {
    const token = `gh` + `p_` + chars(`word`, 36, `bytes`);
    const text = `{ "a" : "\\u00e9\\/\\ud83d\\ude00 ${token}\\n",  "n":1.50e3, "k\\u0065y":"é" }`;
    const redacted = await redactor.line(text, JSON.parse(text) as Json);
    expect(redacted.text).toBe(`{ "a" : "\\u00e9\\/\\ud83d\\ude00 [REDACTED:github]\\n",  "n":1.50e3, "k\\u0065y":"é" }`);
  });

  it(`ids, even when a secret has the same text`, async () => {
    const id = `7c9e6679-7425-40de-944b-e07fc1f90ae7`;
    const {value} = await redactValue({uuid: id, content: `HEROKU_API_KEY=${id}`});
    expect(value).toEqual({uuid: id, content: `HEROKU_API_KEY=[REDACTED:assigned]`});
  });

  it(`tokens in fields for ids go all the same`, async () => {
    const token = `gh` + `p_` + chars(`word`, 36, `id`);
    expect((await redactValue({id: token, signature: token})).value).toEqual({id: `[REDACTED:github]`, signature: `[REDACTED:github]`});
  });

  it(`the string itself, when nothing is found`, () => {
    const text = JSON.stringify({content: `nothing here`});
    expect(redactor.line(text, {content: `nothing here`})).toEqual({text, counts: null});
  });
});

describe(`options`, () => {
  const token = `gh` + `p_` + chars(`word`, 36, `options`);

  it(`can be off`, async () => {
    expect(await redactValue({content: token}, {enabled: false})).toMatchObject({counts: null, value: {content: token}});
  });

  it(`allows by text and by pattern`, async () => {
    expect((await redactValue({content: token}, {allow: [token]})).counts).toBeNull();
    expect((await redactValue({content: token}, {allow: [`/ghp_\\w+/`]})).counts).toBeNull();
    // Not by a part.
    expect((await redactValue({content: token}, {allow: [`/ghp_/`, token.slice(0, 20)]})).counts).toEqual({github: 1});
  });

  it(`takes rules of one's own, with a group for the secret`, async () => {
    const {value, counts} = await redactValue({content: `badge ACME-1234\nx`, "ACME-9999": 1}, {extra: [{id: `acme`, pattern: `ACME-(?<secret>\\d{4})`}]});
    expect(value).toEqual({content: `badge ACME-[REDACTED:acme]\nx`, 'ACME-[REDACTED:acme]': 1});
    expect(counts).toEqual({acme: 2});
  });

  it.each([
    [{id: `a`, pattern: `(`}, `BAD_PATTERN`],
    [{id: `a`, pattern: `x*`}, `BAD_PATTERN`],
    [{id: `a`, pattern: `(a+)+$`}, `UNSAFE_PATTERN`],
    [{id: `a`, pattern: `/([a-z]+|b)*c/i`}, `UNSAFE_PATTERN`],
    [{id: `A b`, pattern: `x`}, `BAD_RULE_ID`],
  ])(`refuses %j`, (extra, code) => {
    expect(() => createRedactor({extra: [extra]})).toThrow(RedactionOptionError);
    expect(() => createRedactor({extra: [extra]})).toThrow(expect.objectContaining({code}));
  });

  it(`leaves random text alone when told to`, async () => {
    expect((await redactValue({content: `x ${chars(`word`, 40, `e1`)}`}, {entropy: false})).counts).toBeNull();
    expect((await redactValue({content: `x ${chars(`word`, 40, `e1`)}`})).counts).toEqual({entropy: 1});
  });
});
