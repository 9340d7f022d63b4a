// Does what read_form.py does, with the parser behind Node's fetch.
const shown = (bytes) => Buffer.from(bytes).toString("hex") + ".";
const chunks = [];
process.stdin.on("data", (chunk) => chunks.push(chunk));
process.stdin.on("end", async () => {
  const response = new Response(Buffer.concat(chunks), { headers: { "Content-Type": process.argv[2] } });
  for (const [name, value] of await response.formData()) {
    if (typeof value === "string") {
      console.log(shown(name), "-", "-", shown(value));
    } else {
      console.log(shown(name), shown(value.name), shown(value.type), shown(await value.arrayBuffer()));
    }
  }
});
