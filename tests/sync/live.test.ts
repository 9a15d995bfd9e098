import {describe, expect, it} from 'vitest';

import {createRedactor}       from '../../sources/redaction/index.ts';
import {opening}              from '../../sources/sync/description.ts';

describe(`opening`, () => {
  it(`should keep a short prompt and cut a long one between words`, () => {
    expect(opening(`Fix the cart`)).toBe(`Fix the cart`);
    expect(opening(`word `.repeat(100))).toBe(`word `.repeat(60).trim());
    expect(opening(`x`.repeat(301))).toBe(``);
  });

  it(`should never leave a part of a secret, wherever the cut falls`, async () => {
    const secret = [`gh`, `p_`, `A1b2C3d4E5f6G7h8I9j0`, `K1l2M3n4O5p6Q7r8`].join(``);
    const redactor = createRedactor();
    for (let before = 250; before <= 305; before++) {
      const {text} = await redactor.text(opening(`${`a `.repeat(200).slice(0, before - 1)} ${secret} and more`));
      expect(text).not.toContain(secret.slice(0, 8));
    }
  });
});
