// Does what read_form.py does, with busboy, the parser behind most of Node's servers.
const busboy = require("busboy");

const shown = (bytes) => Buffer.from(bytes).toString("hex") + ".";
const lines = [];
const parser = busboy({
  headers: { "content-type": process.argv[2] },
  defParamCharset: "utf8",
  preservePath: true,
});
parser.on("field", (name, value) => lines.push([shown(name), "-", "-", shown(value)]));
parser.on("file", (name, stream, { filename, mimeType }) => {
  const chunks = [];
  const line = [shown(name), shown(filename), shown(mimeType)];
  lines.push(line);
  stream.on("data", (chunk) => chunks.push(chunk));
  stream.on("close", () => line.push(shown(Buffer.concat(chunks))));
});
parser.on("close", () => lines.forEach((line) => console.log(...line)));
process.stdin.pipe(parser);
