import {openCodeFamily} from '../families/opencode/index.ts';

export const opencode = openCodeFamily({id: `opencode`, name: `OpenCode`, program: `opencode`, proven: `1.18.33`, prefix: `OPENCODE`, profile: `build`});
