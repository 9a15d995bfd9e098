import {codex}         from '../../../sources/agents/codex/index.ts';
import {writerBattery} from '../_battery.ts';

import {target}        from './_session.ts';

// What Codex itself demands of the lines is in properties.test.ts.
writerBattery({target: codex.target!, writing: target, check: () => {}});
