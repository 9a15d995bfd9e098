import {openCodeFamily} from '../families/opencode/index.ts';

export const kilo = openCodeFamily({id: `kilo`, name: `Kilo CLI`, program: `kilo`, proven: `7.7.7`, prefix: `KILO`, profile: `code`});
