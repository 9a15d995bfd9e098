import type {Body} from './_model.ts';

/** What a model was told of a session, in the order in which it was told, alike for every agent. */
export type Heard =
  | {kind: `prompt` | `reply` | `reasoning`; text: string}
  | {kind: `call`; id: string; name: string; input: unknown}
  | {kind: `result`; id: string; text: string; images: Array<string>; error: boolean}
  | {kind: `image`; data: string};

/** Context that Claude Code 2.1.330 makes afresh in every run. */
const CLAUDE_CONTEXT = /^\s*<system-reminder>/;
/** What it puts around a text that was typed while the model worked. */
const MID_TURN = /^The user sent a new message while you were working:\n([\s\S]*?)\n\nThis is how Claude Code surfaces messages/;
/** Context that Codex 0.169.0 makes afresh. */
const CODEX_CONTEXT = /^\s*(<(environment_context|user_instructions|permissions instructions|skills_instructions)>|# AGENTS\.md instructions)/;

/** The history in a Messages API request, without the prompt that made it. */
export function heardByClaude(body: Body, prompt: string): Array<Heard> {
  const heard: Array<Heard> = [];
  for (const message of body.messages.filter((message: Body) => message.role !== `system`)) {
    const user = message.role === `user`;
    for (const block of typeof message.content === `string` ? [{type: `text`, text: message.content}] : message.content) {
      switch (block.type) {
        case `text`:
          if (!user || !CLAUDE_CONTEXT.test(block.text))
            heard.push({kind: user ? `prompt` : `reply`, text: user ? MID_TURN.exec(block.text)?.[1] ?? block.text : block.text});
          break;
        case `thinking`: heard.push({kind: `reasoning`, text: block.thinking}); break;
        case `tool_use`: heard.push({kind: `call`, id: block.id, name: block.name, input: block.input}); break;
        case `tool_result`: heard.push({kind: `result`, id: block.tool_use_id, ...content(block.content), error: block.is_error === true}); break;
        case `image`: heard.push({kind: `image`, data: block.source.data}); break;
        default: throw new Error(`a block of type ${block.type} in a request of Claude Code`);
      }
    }
  }
  return withoutPrompt(heard, prompt);
}

function content(value: Body): {text: string; images: Array<string>} {
  if (typeof value === `string` || value === undefined)
    return {text: value ?? ``, images: []};
  return {
    text: value.flatMap((block: Body) => block.type === `text` ? [block.text] : block.type === `tool_reference` ? [block.tool_name] : []).join(`\n`),
    images: value.flatMap((block: Body) => block.type === `image` ? [block.source.data] : []),
  };
}

/** The history in a Responses API request, without the prompt that made it and Codex's own context. */
export function heardByCodex(body: Body, prompt: string): Array<Heard> {
  const heard: Array<Heard> = [];
  for (const item of body.input) {
    switch (item.type) {
      case `message`:
        for (const part of item.content) {
          if (part.type === `input_image`)
            heard.push({kind: `image`, data: dataOf(part)});
          else if (item.role === `assistant`)
            heard.push({kind: `reply`, text: part.text});
          else if (item.role === `user` && !CODEX_CONTEXT.test(part.text))
            heard.push({kind: `prompt`, text: part.text});
        }
        break;
      case `reasoning`: heard.push({kind: `reasoning`, text: (item.summary ?? []).map((part: Body) => part.text).join(`\n`)}); break;
      case `function_call`: heard.push({kind: `call`, id: item.call_id, name: item.name, input: parsed(item.arguments)}); break;
      case `custom_tool_call`: heard.push({kind: `call`, id: item.call_id, name: item.name, input: item.input}); break;
      case `local_shell_call`: heard.push({kind: `call`, id: item.call_id, name: `local_shell`, input: item.action}); break;
      case `web_search_call`: heard.push({kind: `call`, id: ``, name: `web_search`, input: item.action}); break;
      case `function_call_output`:
      case `custom_tool_call_output`: heard.push({kind: `result`, id: item.call_id, ...output(item.output), error: false}); break;
      // What code-mode models are told of further tools is no part of the conversation.
      case `additional_tools`: break;
      default: throw new Error(`an item of type ${item.type} in a request of Codex`);
    }
  }
  return withoutPrompt(heard, prompt);
}

function output(value: Body): {text: string; images: Array<string>} {
  if (typeof value === `string`)
    return {text: value, images: []};
  return {
    text: value.flatMap((part: Body) => part.type === `input_image` ? [] : [part.text]).join(`\n`),
    images: value.flatMap((part: Body) => part.type === `input_image` ? [dataOf(part)] : []),
  };
}

function dataOf(part: Body): string {
  return String(part.image_url).replace(/^data:[^,]*,/, ``);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function withoutPrompt(heard: Array<Heard>, prompt: string): Array<Heard> {
  const last = heard.findLastIndex(item => item.kind === `prompt` && item.text.trim() === prompt);
  if (last === -1)
    throw new Error(`the request does not hold the prompt ${JSON.stringify(prompt)}`);
  return heard.filter((_, index) => index !== last);
}
