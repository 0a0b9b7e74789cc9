// In place of underscore.js on rq-dashboard's pages: templates become scripts that carry the page's nonce, so that the
// policy needs no 'unsafe-eval'; and every value is escaped, which rq-dashboard does for some of them only.
"use strict";

const nonce = document.getElementById("templates").nonce;
const compiled = [];

function escaped(value) {
  const signs = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return value === undefined || value === null ? "" : String(value).replace(/[&<>"']/g, (sign) => signs[sign]);
}

// <%= value %>, <%- value %>, <% statement %>. What ends in .html() was escaped by jQuery.
function sourceOf(template) {
  let source = "", end = 0;
  for (const found of template.matchAll(/<%([=-]?)([\s\S]+?)%>/g)) {
    source += `out += ${JSON.stringify(template.slice(end, found.index))};\n`;
    const code = found[2].trim();
    if (!found[1]) source += `${code}\n`;
    else source += code.endsWith(".html()") ? `out += (${code});\n` : `out += escaped(${code});\n`;
    end = found.index + found[0].length;
  }
  return source + `out += ${JSON.stringify(template.slice(end))};\n`;
}

window._ = {
  template(text) {
    const script = document.createElement("script");
    script.nonce = nonce;
    script.textContent =
      `compiled.push(function (given, escaped) { let out = ""; with (given) {\n${sourceOf(text)}} return out; });`;
    document.head.append(script);
    script.remove();
    const render = compiled[compiled.length - 1];
    return (values) => render(values || {}, escaped);
  },
};
