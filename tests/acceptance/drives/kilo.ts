import {FamilyProgram, familyDrive, familyIsHere} from './_opencode.ts';

export const kiloProgram = new FamilyProgram({
  program: `kilo`,
  prefix: `KILO`,
  plugins: {name: `@kilocode/plugin`, version: `7.7.7`},
  fixtures: [`01-tools`],
  // Kilo 7.7.7 tells its model the time with each text of the person.
  unwrap: text => text.replace(/\s*<environment_details>[\s\S]*?<\/environment_details>/g, ``),
});

export const kiloDrive = familyDrive(kiloProgram);

export const kiloIsHere = () => familyIsHere(kiloProgram.family);
