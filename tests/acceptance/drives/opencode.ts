import {FamilyProgram, familyDrive, familyIsHere} from './_opencode.ts';

export const opencodeProgram = new FamilyProgram({
  program: `opencode`,
  prefix: `OPENCODE`,
  plugins: {name: `@opencode-ai/plugin`, version: `1.18.33`},
  fixtures: [`01-tools`, `02-subagent-compaction-error`],
});

export const opencodeDrive = familyDrive(opencodeProgram);

export const opencodeIsHere = () => familyIsHere(opencodeProgram.family);
