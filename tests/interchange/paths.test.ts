import {describe, expect, it}            from 'vitest';

import {detokenizer, mapper, tokenizer}  from '../../sources/interchange/paths.ts';

import fc                                from '../_properties.ts';

const alice = {root: `/home/alice/shop`, home: `/home/alice`, tmp: `/tmp`, session: `/home/alice/.claude/projects/-home-alice-shop/5e55`};
const bob = {root: `/Users/bob/src/shop`, home: `/Users/bob`, tmp: `/var/folders/x`, session: `/Users/bob/src/shop/.git/session-sync/files/5e55`};
const carol = {root: `C:\\Users\\carol\\shop`, home: `C:\\Users\\carol`, tmp: `C:\\Temp`, session: `C:\\Users\\carol\\.claude\\x`};

const here = tokenizer(alice, `linux`);
const there = detokenizer(bob, `linux`, `darwin`);
const json = (value: unknown) => JSON.stringify(value);
const moved = (value: unknown) => JSON.parse(there(here(json(value)))) as unknown;

describe(`tokenizer and detokenizer`, () => {
  it(`should move paths to another machine, the innermost folder first`, () => {
    expect(here(json({a: `/home/alice/shop/src/cart.js`, b: `/home/alice/.bashrc`, c: `/tmp/x`}))).toBe(json({a: `{root}/src/cart.js`, b: `{home}/.bashrc`, c: `{tmp}/x`}));
    expect(moved(`cd /home/alice/shop && cat "/home/alice/shop/a b" > /tmp/x`)).toBe(`cd /Users/bob/src/shop && cat "/Users/bob/src/shop/a b" > /var/folders/x/x`);
    expect(moved(`saved to: /home/alice/.claude/projects/-home-alice-shop/5e55/tool-results/b.txt`)).toBe(`saved to: /Users/bob/src/shop/.git/session-sync/files/5e55/tool-results/b.txt`);
  });

  it(`should know the borders of a path`, () => {
    for (const text of [`/home/alice/shop2`, `/home/alice/shop-old`, `/srv/home/alice/shop`, `x/tmp`, `/tmpfile`, `/home/alice/shop.old`].map(text => text.replace(`/home/alice/shop`, `/x/alice/shop`)))
      expect(moved(text)).toBe(text);
    expect(moved(`/home/alice/shop2/a`)).toBe(`/Users/bob/shop2/a`);
    expect(moved(`/home/alice/shop.old`)).toBe(`/Users/bob/shop.old`);
    expect(moved(`look in /home/alice/shop.`)).toBe(`look in /Users/bob/src/shop.`);
    expect(moved(`a\n/home/alice/shop\n\t/home/alice/shop/b:12:3`)).toBe(`a\n/Users/bob/src/shop\n\t/Users/bob/src/shop/b:12:3`);
    expect(moved(`file:///home/alice/shop/a`)).toBe(`file:///Users/bob/src/shop/a`);
    expect(moved(`in /home/alice/shopに`)).toBe(`in /Users/bob/src/shopに`);
    expect(moved(json({path: `/home/alice/shop/a`}))).toBe(json({path: `/Users/bob/src/shop/a`}));
  });

  it(`should give back what looked like a token`, () => {
    for (const text of [`{root}`, `{=root}`, `{==home}`, `{root}/src`, `{root:f}`, `{rooted}`, `{ root }`, `{}`]) {
      expect(moved(text)).toBe(text);
      expect(here(json(text))).not.toBe(json(`{root}`));
    }
  });

  it(`should change separators between systems`, () => {
    const windows = tokenizer(carol, `win32`);
    const toLinux = detokenizer(alice, `win32`, `linux`);
    const texts: Array<[string, string]> = [
      [`C:\\Users\\carol\\shop\\src\\cart.js`, `/home/alice/shop/src/cart.js`],
      [`C:/Users/carol/shop/src/cart.js`, `/home/alice/shop/src/cart.js`],
      [`/c/Users/carol/shop/src/cart.js`, `/home/alice/shop/src/cart.js`],
      [`c:\\Users\\carol\\shop\\new\\test.js`, `/home/alice/shop/new/test.js`],
      [`type "C:\\Users\\carol\\shop\\a.txt" | more`, `type "/home/alice/shop/a.txt" | more`],
    ];
    for (const [text, expected] of texts)
      expect(JSON.parse(toLinux(windows(json(text))))).toBe(expected);
    expect(JSON.parse(detokenizer(carol, `linux`, `win32`)(here(json(`/home/alice/shop/src/cart.js`))))).toBe(`C:\\Users\\carol\\shop\\src\\cart.js`);
  });

  it(`should be undone by itself, whatever stands in the text`, () => {
    const piece = fc.oneof(
      fc.constantFrom(...Object.values(alice), `{root}`, `{=tmp}`, `/`, `\\`, `"`, `\n`, `.`, ` `, `{`, `}`, `home`, `é`, `\ud83d\ude00`, `:f`, `2`),
      fc.string({maxLength: 5}),
    );
    const text = fc.array(piece, {maxLength: 12}).map(pieces => pieces.join(``));
    fc.assert(fc.property(text, value => {
      const line = json({text: value, nested: json(value)});
      expect(detokenizer(alice, `linux`, `linux`)(here(line))).toBe(line);
      expect(() => JSON.parse(there(here(line)))).not.toThrow();
    }), {numRuns: 2000});
    fc.assert(fc.property(fc.array(fc.oneof(fc.constantFrom(...Object.values(carol), `C:/Users/carol/shop`, `/c/Users/carol/shop`, `c:\\Users\\carol\\shop`, `\\`, `{root:f}`, `/x`), fc.string({maxLength: 4})), {maxLength: 8}).map(pieces => pieces.join(``)), value => {
      const line = json({text: value, nested: json(value)});
      expect(detokenizer(carol, `win32`, `win32`)(tokenizer(carol, `win32`)(line))).toBe(line);
    }), {numRuns: 1000});
  });
});

describe(`mapper`, () => {
  it(`should map an agent's own lines, and leave braces alone`, () => {
    const map = mapper(alice, bob, `linux`, `darwin`);
    expect(map(json({cwd: `/home/alice/shop`, text: `{root} /home/alice/x`}))).toBe(json({cwd: `/Users/bob/src/shop`, text: `{root} /Users/bob/x`}));
    expect(mapper(alice, alice, `linux`, `linux`)(`/home/alice/shop`)).toBe(`/home/alice/shop`);
  });

  it(`should not take folders that somebody else's header makes up for patterns`, () => {
    const map = mapper({root: `(a+)+$`, home: `/`, 'x y': `/etc`, tmp: `/tmp.*`}, {...bob, 'x y': `/gone`}, `linux`, `linux`);
    expect(map(`/etc / /tmpabc aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!`)).toBe(`/etc / /tmpabc aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!`);
  });
});
