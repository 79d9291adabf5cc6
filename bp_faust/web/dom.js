// Makes elements. All text gets into the page as text, whatever it holds: nothing here reads HTML.

/** Returns an element with properties (className, href, dataset, …) and children: elements, texts, or null for none. */
export function element(tag, properties, ...children) {
  const {dataset, style, ...others} = properties || {};
  const made = Object.assign(document.createElement(tag), others);
  if (dataset) Object.assign(made.dataset, dataset);
  if (style) for (const [name, value] of Object.entries(style)) made.style.setProperty(name, value);
  made.append(...children.flat().filter(child => child !== null && child !== undefined).map(
    child => child instanceof Node ? child : String(child)));
  return made;
}

/**
 * Returns a table in a frame of its own that scrolls sideways where it is too wide.
 * columns: {title, cell: row => text or element, number: true for figures}, the first of which heads its row.
 */
export function table(caption, columns, rows, options = {}) {
  const heading = column => element("th", {scope: "col", className: classesOf(column)}, column.title);
  const made = element("table", {className: options.className || ""},
    element("caption", {className: options.captionHidden ? "unseen" : ""}, caption),
    element("thead", null, element("tr", null, columns.map(heading))),
    element("tbody", null, rows.map(row => tableRow(columns, row))));
  return element("div", {className: "scroll", tabIndex: 0, role: "region", ariaLabel: caption}, made);
}

function classesOf(column) {
  return [column.number ? "number" : "", column.className || ""].join(" ").trim();
}

function tableRow(columns, row) {
  return element("tr", null, columns.map((column, place) => {
    const properties = {className: classesOf(column)};
    if (place === 0) properties.scope = "row";
    return element(place === 0 ? "th" : "td", properties, column.cell(row));
  }));
}

export function link(text, ...parts) {
  return element("a", {href: address(...parts)}, text);
}

/** Returns the address of a view, such as address("patients", "p/1") for #/patients/p%2F1. */
export function address(...parts) {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}

/** Returns a paragraph that says what is wrong. */
export function problem(text) {
  return element("p", {className: "problem", role: "alert"}, text);
}

/** Replaces what is in a place; its tables stay scrolled as they were, and what has the focus keeps it. */
export function refill(place, ...children) {
  const frames = () => [...place.querySelectorAll(".scroll")];
  const targets = () => [...place.querySelectorAll("a, summary, .scroll")];
  const scrolled = frames().map(one => one.scrollLeft);
  const held = targets().indexOf(document.activeElement), href = document.activeElement?.href;
  place.replaceChildren(...children);
  frames().forEach((one, at) => { one.scrollLeft = scrolled[at] || 0; });
  if (held < 0) return;
  const next = href ? targets().find(one => one.href === href) : targets()[held];
  if (next) next.focus({preventScroll: true});
}

/** Sets a text only where it differs, so that nothing is drawn or read out anew for nothing. */
export function setText(node, text) {
  if (node.textContent !== String(text)) node.textContent = text;
}
