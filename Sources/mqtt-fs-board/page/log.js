// The output of a step: its colours are shown, and nothing else of its control sequences is followed.

import { clean, make, number } from "./text.js";

const mostLines = 5000;
const longestLine = 8000;
// ECMA-48: control sequences, strings up to their end, and other escapes.
const escapes = /\u001b(?:\[([0-9;:?]*)[ -/]*([@-~])|\][^\u0007\u001b\n]{0,4096}(?:\u0007|\u001b\\)|[P^_X][^\u001b\n]{0,4096}\u001b\\|[ -/]*[0-~])/g;

export class Log {
  constructor(box, { onEdge }) {
    this.box = box;
    this.lines = box.querySelector(".lines");
    this.onEdge = onEdge;
    this.clear();
    box.addEventListener("scroll", () => this.look(), { passive: true });
  }

  clear() {
    this.lines.replaceChildren();
    this.style = { color: 0, bold: false };
    this.rest = "";
    this.last = null;
    this.count = 0;
    this.isFollowing = true;
    this.waiting = [];
  }

  /** Whether the reader is at the end, so that new lines are brought into sight. */
  look() {
    const gap = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight;
    this.isFollowing = gap < 48;
    this.onEdge(this.isFollowing);
  }

  follow() {
    this.isFollowing = true;
    this.box.scrollTop = this.box.scrollHeight;
    this.onEdge(true);
  }

  /** Adds text at the end. A line may come in pieces. */
  add(text) {
    const parts = (this.rest + text).split("\n");
    this.rest = parts.pop();
    if (this.rest.length > longestLine * 2) {
      parts.push(this.rest);
      this.rest = "";
    }
    const surplus = parts.length - mostLines;
    if (surplus > 0) parts.splice(0, surplus);
    const added = document.createDocumentFragment();
    this.last?.remove();
    this.last = null;
    for (const part of parts) added.append(this.line(part));
    this.count += parts.length;
    if (this.rest !== "") {
      const style = { ...this.style };
      this.last = this.line(this.rest);
      this.style = style;
      added.append(this.last);
    }
    this.lines.append(added);
    while (this.count > mostLines) {
      this.lines.firstChild.remove();
      this.count -= 1;
      this.isCut = true;
    }
    if (this.isFollowing) this.box.scrollTop = this.box.scrollHeight;
  }

  /** Adds text before all that is shown, and leaves the reader where they are. */
  addBefore(text) {
    const parts = text.replace(/\n$/, "").split("\n");
    const style = this.style;
    this.style = { color: 0, bold: false };
    const added = document.createDocumentFragment();
    for (const part of parts) added.append(this.line(part));
    this.style = style;
    const height = this.box.scrollHeight;
    this.lines.prepend(added);
    this.count += parts.length;
    this.box.scrollTop += this.box.scrollHeight - height;
  }

  /** A line as spans. After a carriage return a terminal would write over what stands before it. */
  line(raw) {
    let text = raw.replace(/\r+$/, "");
    const back = text.lastIndexOf("\r");
    if (back >= 0) text = text.slice(back + 1);
    const element = make("div", "line");
    const rest = text.length - longestLine;
    if (rest > 0) text = text.slice(0, longestLine);
    let at = 0;
    for (const match of text.matchAll(escapes)) {
      this.put(element, text.slice(at, match.index));
      at = match.index + match[0].length;
      if (match[2] === "m") this.turn(match[1]);
    }
    this.put(element, text.slice(at));
    if (rest > 0) element.append(make("span", "cut", ` … ${number(rest)} more characters`));
    if (element.childNodes.length === 0) element.append("\u200b");
    return element;
  }

  put(element, text) {
    if (text === "") return;
    const shown = clean(text);
    const { color, bold } = this.style;
    if (color === 0 && !bold) element.append(shown);
    else element.append(make("span", `c${color}${bold ? " bold" : ""}`, shown));
  }

  /** Select Graphic Rendition: the eight colours, bold, and their ends. */
  turn(codes) {
    const list = codes.split(/[;:]/).map(Number);
    for (let index = 0; index < list.length; index += 1) {
      const code = list[index];
      if (code === 0) this.style = { color: 0, bold: false };
      else if (code === 1) this.style.bold = true;
      else if (code === 22) this.style.bold = false;
      else if (code >= 30 && code <= 37) this.style.color = code - 29;
      else if (code >= 90 && code <= 97) this.style.color = code - 89;
      else if (code === 39) this.style.color = 0;
      else if (code === 38 || code === 48) index += list[index + 1] === 5 ? 2 : 4;
    }
  }
}
