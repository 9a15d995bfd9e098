import {describe, expect, test} from 'vitest';

import {compare}                from './_compare.ts';
import type {Heard}             from './_heard.ts';

const source: Array<Heard> = [
  {kind: `prompt`, text: `Tidy the cart`},
  {kind: `reply`, text: `Looking.`},
  {kind: `call`, id: `a`, name: `Read`, input: {file_path: `/home/alice/shop/cart.js`}},
  {kind: `call`, id: `b`, name: `Edit`, input: {file_path: `/home/alice/shop/cart.js`, old_string: `a + b`, new_string: `a + b.price`}},
  {kind: `result`, id: `b`, text: `The file was updated`, images: [], error: false},
  {kind: `result`, id: `a`, text: `1\ttotal(xs)\n2\t`, images: [], error: false},
  {kind: `reply`, text: `Done.`},
];
const target: Array<Heard> = [
  {kind: `prompt`, text: `Tidy the cart`},
  {kind: `reply`, text: `Looking.`},
  {kind: `call`, id: `1`, name: `Read`, input: {file_path: `/Users/bob/shop/cart.js`}},
  {kind: `call`, id: `2`, name: `apply_patch`, input: `*** Update File: cart.js\n-  a + b\n+  a + b.price\n`},
  {kind: `result`, id: `1`, text: `total(xs)`, images: [], error: false},
  {kind: `result`, id: `2`, text: `Success.`, images: [], error: false},
  {kind: `reply`, text: `Done.`},
];
const names = {sourceNames: [[`/home/alice/shop`, `<root>`]] as Array<[string, string]>, targetNames: [[`/Users/bob/shop`, `<root>`]] as Array<[string, string]>};
const without = (index: number) => target.filter((_, i) => i !== index);
const swapped = (x: number, y: number) => target.map((item, i) => i === x ? target[y]! : i === y ? target[x]! : item);

describe(`the comparison of two histories`, () => {
  test(`finds nothing where only names and tools differ`, () => {
    expect(compare(source, target, names)).toEqual({missing: [], extra: []});
  });

  test.each(target.map((item, index) => [index, item.kind] as const))(`notices that item %i, a %s, is gone`, index => {
    expect(compare(source, without(index), names).missing).not.toEqual([]);
  });

  test.each(target.map((item, index) => [index, item.kind] as const))(`notices that item %i, a %s, is there twice`, index => {
    expect(compare(source, target.flatMap((item, i) => i === index ? [item, item] : [item]), names).extra).toHaveLength(1);
  });

  test(`notices another order`, () => {
    expect(compare(source, swapped(0, 1), names).missing).not.toEqual([]);
    expect(compare(source, swapped(2, 3), names).missing).not.toEqual([]);
    expect(compare(source, swapped(5, 6), names).missing).not.toEqual([]);
  });

  test(`notices a path that was not mapped`, () => {
    expect(compare(source, target, {...names, targetNames: []}).missing).toHaveLength(2);
  });

  test(`notices a line that is gone from a result, and an image`, () => {
    const result: Array<Heard> = [{kind: `call`, id: `a`, name: `Bash`, input: {command: `ls`}}, {kind: `result`, id: `a`, text: `x\ny`, images: [`AAAA`], error: false}];
    expect(compare(result, result).missing).toEqual([]);
    expect(compare(result, [result[0]!, {...result[1], text: `x`} as Heard]).missing).toHaveLength(1);
    expect(compare(result, [result[0]!, {...result[1], images: []} as Heard]).missing).toEqual([`image in the result of Bash`]);
    expect(compare(result, [result[0]!, {...result[1], images: []} as Heard, {kind: `image`, data: `AAAA`}])).toEqual({missing: [], extra: []});
  });
});
