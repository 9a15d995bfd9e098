import {describe, expect, it}    from 'vitest';

import {isTooDeep}               from '../../sources/interchange/depth.ts';

const nested = (depth: number) => `${`[`.repeat(depth)}${`]`.repeat(depth)}`;

describe(`isTooDeep`, () => {
  it(`draws the line at 1000 levels, of arrays and objects together`, () => {
    expect(isTooDeep(nested(1000))).toBe(false);
    expect(isTooDeep(nested(1001))).toBe(true);
    expect(isTooDeep(`${`{"a":[`.repeat(501)}${`]}`.repeat(501)}`)).toBe(true);
  });

  it(`takes brackets in texts, and many beside one another, for what they are`, () => {
    expect(isTooDeep(JSON.stringify({text: `[`.repeat(5000)}))).toBe(false);
    expect(isTooDeep(JSON.stringify({text: `"\\"[{`.repeat(5000)}))).toBe(false);
    expect(isTooDeep(JSON.stringify(Array.from({length: 5000}, () => [{}])))).toBe(false);
  });
});
