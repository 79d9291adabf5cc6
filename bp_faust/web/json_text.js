// Finds places in JSON as somebody wrote it, and indents it; numbers and strings stay as they are, to the letter.

/** Returns the JSON text with a line for each member; what is no JSON is returned as it is. */
export function indented(text) {
  if (!isJson(text)) return text;
  let made = "", depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  const tokens = text.match(TOKEN) || [];
  tokens.forEach((token, place) => {
    if (token === "{" || token === "[") {
      const isEmpty = tokens[place + 1] === "}" || tokens[place + 1] === "]";
      depth += 1;
      made += token + (isEmpty ? "" : line());
    } else if (token === "}" || token === "]") {
      depth -= 1;
      const wasEmpty = tokens[place - 1] === "{" || tokens[place - 1] === "[";
      made += (wasEmpty ? "" : line()) + token;
    } else if (token === ",") made += token + line();
    else made += token === ":" ? ": " : token;
  });
  return made;
}

/**
 * Returns begin and end of what a path such as entry[0].resource.status names, of the last part of it that is there,
 * or null where that is the whole text, or none of it.
 */
export function locate(text, path) {
  if (!isJson(text)) return null;
  let found = null, node = parsed(text);
  for (const [, name, index] of path.matchAll(/([^.[\]]+)|\[(\d+)\]/g)) {
    const child = node.children && node.children.get(name === undefined ? Number(index) : name);
    if (!child) break;
    node = found = child;
  }
  return found && [found.begin, found.end];
}

const DEEPEST = 100;
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs;

/** What is nested deeper than people read is left as it is too: it would be indented without end. */
function isJson(text) {
  try {
    JSON.parse(text);
  } catch {
    return false;
  }
  let depth = 0;
  for (const token of text.match(TOKEN) || []) {
    if (token === "{" || token === "[") depth += 1;
    if (token === "}" || token === "]") depth -= 1;
    if (depth > DEEPEST) return false;
  }
  return true;
}

/** Returns the nodes of a text that is JSON: where each begins and ends, with its children by name or number. */
function parsed(text) {
  const tokens = [...text.matchAll(TOKEN)].map(found => ({token: found[0], at: found.index}));
  let next = 0;

  function node() {
    const {token, at} = tokens[next++];
    if (token !== "{" && token !== "[") return {begin: at, end: at + token.length};
    const children = new Map(), close = token === "{" ? "}" : "]";
    while (tokens[next].token !== close) {
      let name = children.size, begin = null;
      if (token === "{") {
        begin = tokens[next].at;
        name = JSON.parse(tokens[next].token);
        next += 2;
      }
      const child = node();
      children.set(name, begin === null ? child : {...child, begin});
      if (tokens[next].token === ",") next += 1;
    }
    const end = tokens[next++].at + 1;
    return {begin: at, end, children};
  }

  return node();
}
