
import {copilot}                 from '../../../sources/agents/copilot/index.ts';
import {readerBattery}           from '../_battery.ts';

import {fixture} from './_read.ts';

readerBattery(copilot.source!, [`02-subagent-error`, `03-terminal`].map(name => ({name: `events.jsonl of ${name}`, text: fixture(name)})));

