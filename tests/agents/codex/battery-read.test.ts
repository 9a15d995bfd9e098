import {codex}          from '../../../sources/agents/codex/index.ts';
import {readerBattery}  from '../_battery.ts';

import {textOf}         from './_read.ts';

readerBattery(codex.source!, [`02-code-mode`, `03-compacted-interrupted`, `04-legacy-continued`].map(name => ({name, text: textOf(name)})));
