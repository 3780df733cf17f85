// A table of any number of rows: only those that are in sight exist as elements.

import { make, setText } from "./text.js";

const spare = 8;

export class Table {
  /**
   * `columns` are `{key, title, sort, className, isDown}`; `fill(cells, item)` sets a row's cells, `key(item)` names it.
   * The table sorts by `order = {key, down}` and tells `onOrder` when the reader changes it.
   */
  constructor(holder, { label, columns, key, fill, order, onOrder }) {
    Object.assign(this, { columns, key, fill, order, onOrder, items: [], rows: new Map(), height: 0 });
    this.body = make("tbody");
    this.above = make("tr", "gap");
    this.below = make("tr", "gap");
    for (const gap of [this.above, this.below]) {
      gap.setAttribute("aria-hidden", "true");
      const cell = make("td");
      cell.colSpan = columns.length;
      gap.append(cell);
    }
    this.heads = new Map(columns.map((column) => [column.key, this.head(column)]));
    this.table = make("table", "", make("thead", "", make("tr", "", ...this.heads.values())), this.body);
    this.table.setAttribute("aria-label", label);
    holder.replaceChildren(this.table);
    this.empty = make("p", "none");
    holder.append(this.empty);
    this.body.append(this.above, this.below);
    this.body.addEventListener("keydown", (event) => this.press(event));
    this.draw = this.draw.bind(this);
    this.schedule = () => {
      this.frame ??= requestAnimationFrame(() => {
        this.frame = null;
        this.draw();
      });
    };
    window.addEventListener("scroll", this.schedule, { passive: true });
    this.resized = () => {
      this.height = 0;
      this.schedule();
    };
    window.addEventListener("resize", this.resized);
    this.showOrder();
  }

  close() {
    window.removeEventListener("scroll", this.schedule);
    window.removeEventListener("resize", this.resized);
  }

  head(column) {
    const cell = make("th", column.className);
    cell.scope = "col";
    if (!column.sort) {
      cell.append(column.title);
      return cell;
    }
    const button = make("button", "", column.title);
    button.addEventListener("click", () => {
      const down = this.order.key === column.key ? !this.order.down : Boolean(column.isDown);
      this.setOrder({ key: column.key, down });
    });
    cell.append(button);
    return cell;
  }

  setOrder(order) {
    this.order = order;
    this.showOrder();
    this.show(this.items);
    this.onOrder?.(order);
  }

  showOrder() {
    for (const [key, cell] of this.heads) {
      if (key === this.order.key) cell.setAttribute("aria-sort", this.order.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
  }

  /** Shows these items, sorted. */
  show(items, emptyText = "Nothing here.") {
    const column = this.columns.find((column) => column.key === this.order.key);
    const factor = this.order.down ? -1 : 1;
    // Each value is asked for once, not at each comparison.
    this.items = column?.sort
      ? items.map((item) => [column.sort(item), item]).sort((a, b) => compare(a[0], b[0], factor) || compare(this.key(a[1]), this.key(b[1]), 1)).map(([, item]) => item)
      : items;
    this.table.setAttribute("aria-rowcount", this.items.length + 1);
    setText(this.empty, this.items.length === 0 ? emptyText : "");
    this.table.hidden = this.items.length === 0;
    this.draw(true);
  }

  /** The rows in sight become elements; those that stay keep theirs, and with it the focus. */
  draw(isNew = false) {
    if (!this.table.isConnected) return;
    if (this.height === 0) {
      this.height = parseFloat(getComputedStyle(this.table).getPropertyValue("--row")) || 44;
      isNew = true;
    }
    const top = -this.body.getBoundingClientRect().top;
    const count = this.items.length;
    const first = Math.max(0, Math.min(count, Math.floor(top / this.height) - spare));
    const last = Math.max(first, Math.min(count, Math.ceil((top + window.innerHeight) / this.height) + spare));
    if (!isNew && first === this.first && last === this.last) return;
    [this.first, this.last] = [first, last];
    const kept = new Map();
    const names = new Set(this.items.slice(first, last).map(this.key));
    const active = document.activeElement?.closest("tr");
    // Rows that leave the sight serve for those that come into it, but not the one with the focus.
    const free = [...this.rows].filter(([name, row]) => !names.has(name) && row !== active).map(([, row]) => row);
    let before = this.above;
    for (let index = first; index < last; index += 1) {
      const item = this.items[index];
      const name = this.key(item);
      const row = this.rows.get(name) ?? free.pop() ?? this.row();
      row.dataset.key = name;
      row.setAttribute("aria-rowindex", index + 2);
      row.dataset.index = index;
      if (isNew || row.shown !== item) {
        this.fill([...row.children], item, row);
        row.shown = item;
      }
      kept.set(name, row);
      if (before.nextSibling !== row) before.after(row);
      before = row;
    }
    const stay = new Set(kept.values());
    for (const row of this.rows.values()) if (!stay.has(row)) row.remove();
    this.rows = kept;
    this.above.firstChild.style.height = `${first * this.height}px`;
    this.below.firstChild.style.height = `${(count - last) * this.height}px`;
    this.above.hidden = first === 0;
    this.below.hidden = last === count;
  }

  row() {
    const row = make("tr", "", ...this.columns.map((column) => make(column.isName ? "th" : "td", column.className)));
    for (const cell of row.children) if (cell.tagName === "TH") cell.scope = "row";
    return row;
  }

  /** Arrows, Page Up and Down, Home and End move between the rows' links. */
  press(event) {
    const row = event.target.closest("tr");
    if (row === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(window.innerHeight / this.height) - 3);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const index = Math.max(0, Math.min(this.items.length - 1, Number(row.dataset.index) + step));
    this.focus(index);
  }

  focus(index) {
    const start = this.table.querySelector("thead").getBoundingClientRect().bottom + window.scrollY;
    const top = start + index * this.height;
    const bar = document.querySelector(".top").offsetHeight + 48;
    if (top < window.scrollY + bar) window.scrollTo(0, top - bar);
    else if (top + this.height > window.scrollY + window.innerHeight) window.scrollTo(0, top + this.height - window.innerHeight + 8);
    this.draw();
    this.rows.get(this.key(this.items[index]))?.querySelector("a")?.focus({ preventScroll: true });
  }
}

const text = new Intl.Collator("en", { numeric: true });

/** Unknown values come last, in either order. */
function compare(a, b, factor) {
  if (a === b) return 0;
  const [hasA, hasB] = [a !== null && a !== undefined && a !== "", b !== null && b !== undefined && b !== ""];
  if (!hasA || !hasB) return hasA === hasB ? 0 : hasA ? -1 : 1;
  return factor * (typeof a === "string" ? text.compare(a, b) : a - b);
}
