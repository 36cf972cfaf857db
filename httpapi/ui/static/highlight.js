// The languages of values: which one a text is in, its division into rows, and the tokens of a row. Only rows in sight are tokenized.

const deepestIndent = 40; // levels; a hostile value may have half a million
const longestRow = 200; // characters; longer lines go on in the next row

/** languageOf guesses the language of a text: "json", "yaml" or "text". */
export function languageOf(text) {
  const start = text.slice(0, 4096).trimStart();
  if (/^[{["]/.test(start)) {
    try {
      JSON.parse(text);
      return "json";
    } catch {
      // a text that begins like JSON
    }
  }
  const lines = start.split("\n").slice(0, 50).filter((l) => l.trim() !== "" && !/^\s*#/.test(l));
  const likeYaml = lines.filter((l) => /^---|^\s*(- )*("[^"]*"|'[^']*'|[\w./-]+)\s*:(\s|$)|^\s*- /.test(l)).length;
  return lines.length > 0 && (start.startsWith("---") || likeYaml / lines.length > 0.7) && likeYaml > 0 ? "yaml" : "text";
}

// rowsOf divides a text into rows: {text, line}. line is the number of the line that begins there, or 0 where a line goes on.
function rowsOf(text) {
  const rows = [];
  for (const [i, line] of text.split("\n").entries()) {
    let from = 0;
    do {
      let to = Math.min(from + longestRow, line.length);
      // an escape sequence and a surrogate pair stay in one row
      while (to < line.length && to > from + 1 && /[\\\ud800-\udbff]/.test(line[to - 1])) to--;
      rows.push({ text: line.slice(from, to), line: from === 0 ? i + 1 : 0 });
      from = to;
    } while (from < line.length);
  }
  return rows;
}

const jsonToken = /"(?:[^"\\]|\\.)*("?)|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\b(?:true|false|null)\b|[^"\d\-tfn]+|./gs;

// tokensOfJson returns the tokens of a row, and whether it ends inside a string. inString says whether it begins in one.
function tokensOfJson(text, inString) {
  const tokens = [];
  let from = 0;
  if (inString) {
    const end = /^(?:[^"\\]|\\.)*"/s.exec(text);
    if (!end) return { tokens: [{ type: "string", text }], inString: true };
    from = end[0].length;
    tokens.push({ type: "string", text: end[0] });
  }
  let open = false;
  jsonToken.lastIndex = from;
  for (let m = jsonToken.exec(text); m && m[0] !== ""; m = jsonToken.exec(text)) {
    const token = m[0];
    let type = "";
    if (token[0] === '"') {
      open = m[1] === "";
      type = !open && /^\s*:/.test(text.slice(jsonToken.lastIndex)) ? "key" : "string";
    } else if (/^-?\d/.test(token)) type = "number";
    else if (/^(true|false|null)$/.test(token)) type = "word";
    tokens.push({ type, text: token });
  }
  return { tokens, inString: open };
}

const yamlToken = new RegExp([
  /"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'/, // strings
  /(?:^|(?<=\s))#.*/, // comments
  /(?:^|(?<=[\s[{,]))(?:-?\d[\d_.eE+-]*|true|false|null|yes|no|~|[&*!][\w.!/-]*)(?=[\s,\]}]|$)/, // numbers, words, anchors and tags
].map((part) => part.source).join("|"), "g");

function tokensOfYaml(text) {
  const tokens = [];
  const key = /^(\s*(?:- +)*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s#"'[{&*!|>%@-][^#:]*?|-[^\s#:][^#:]*?)(?=:(?:\s|$))/.exec(text);
  let at = 0;
  if (/^(---|\.\.\.)/.test(text)) return [{ type: "word", text }];
  if (key) {
    tokens.push({ type: "", text: key[1] }, { type: "key", text: key[2] });
    at = key[0].length;
  }
  yamlToken.lastIndex = at;
  for (let m = yamlToken.exec(text); m; m = yamlToken.exec(text)) {
    if (m.index > at) tokens.push({ type: "", text: text.slice(at, m.index) });
    const type = { '"': "string", "'": "string", "#": "comment" }[m[0][0]] ?? (/^-?\d/.test(m[0]) ? "number" : "word");
    tokens.push({ type, text: m[0] });
    at = m.index + m[0].length;
  }
  tokens.push({ type: "", text: text.slice(at) });
  return tokens;
}

/** Highlighter returns the tokens of the rows of a text: [{type, text}], where type is a class of style.css, or empty. */
export class Highlighter {
  #states = [false]; // of JSON: whether each row begins inside a string, as far as known

  constructor(text, language) {
    this.language = language;
    this.rows = rowsOf(text);
  }

  tokens(i) {
    const { text } = this.rows[i];
    if (this.language === "yaml") return tokensOfYaml(text);
    if (this.language !== "json") return [{ type: "", text }];
    for (let j = this.#states.length; j <= i; j++) {
      this.#states[j] = tokensOfJson(this.rows[j - 1].text, this.#states[j - 1]).inString && this.rows[j].line === 0;
    }
    return tokensOfJson(text, this.#states[i]).tokens;
  }
}

/** formatJson returns a text in JSON with one item per line. It moves white space alone: numbers and strings stay as they are written. */
export function formatJson(text) {
  const out = [];
  let depth = 0;
  const newLine = () => "\n" + "  ".repeat(Math.min(depth, deepestIndent));
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs) ?? [];
  for (const [i, token] of tokens.entries()) {
    const next = tokens[i + 1];
    if (token === "{" || token === "[") {
      if (next === "}" || next === "]") out.push(token);
      else {
        depth++;
        out.push(token, newLine());
      }
    } else if (token === "}" || token === "]") {
      const empty = tokens[i - 1] === "{" || tokens[i - 1] === "[";
      if (!empty) {
        depth--;
        out.push(newLine());
      }
      out.push(token);
    } else if (token === ",") out.push(token, newLine());
    else if (token === ":") out.push(": ");
    else out.push(token);
  }
  return out.join("");
}
