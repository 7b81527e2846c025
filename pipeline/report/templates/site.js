// Draws the charts of a page again as wide as there is space, so that they say their values and members can be chosen;
// shows two periods of a comparison alone, and says whether a newer version is there. The pages are whole without it.
(() => {
  const { root, version } = document.body.dataset;
  const drawnWidth = 440;
  const load = (address, then) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = then;
    document.head.append(script);
  };
  const element = (name, text = "", ...inside) => {
    const made = document.createElement(name);
    made.append(text, ...inside);
    return made;
  };

  // A fieldset after the chart, in which each name can be chosen.
  const choice = (chart, names, chosen, changed) => {
    const boxes = names.map(name => {
      const box = Object.assign(element("input"), { type: "checkbox", value: name, checked: chosen.includes(name) });
      return box;
    });
    const fieldset = element("fieldset", element("legend", "Shown"),
      ...boxes.map(box => element("label", box, ` ${box.value}`)));
    fieldset.className = "switch";
    fieldset.addEventListener("change", () => changed(boxes.filter(box => box.checked).map(box => box.value)));
    chart.after(fieldset);
  };

  // The chart on white under its title, in two pixels for one.
  const picture = async (view, title) => {
    const chart = await view.toCanvas(2), whole = element("canvas"), margin = 24, above = 56;
    whole.width = Math.max(chart.width, title.length * 18) + 2 * margin;
    whole.height = chart.height + above + 2 * margin;
    const pen = whole.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, whole.width, whole.height);
    pen.fillStyle = "#202428";
    pen.font = "bold 30px Arial, Helvetica, sans-serif";
    pen.fillText(title, margin, margin + 30);
    pen.drawImage(chart, margin, margin + above);
    return whole.toDataURL("image/png");
  };

  const prepare = chart => {
    const text = chart.nextElementSibling.textContent;
    const named = chart.getAttribute("aria-label").split(". ")[0];
    const title = chart.closest("section") ? `${document.querySelector("h1").textContent}: ${named}` : named;
    let width = 0, chosen = null, view = null;
    const draw = async () => {
      if (!chart.clientWidth || chart.clientWidth === width) return;
      width = chart.clientWidth;
      const spec = JSON.parse(text), place = element("div"), [names, ...points] = spec.datasets.points;
      spec.datasets.points = points.map(point =>
        Object.fromEntries(names.map((name, at) => [name, point[at]]).filter(([, value]) => value !== null)));
      if (spec.projection) spec.datasets.world = window.censusWorld;
      if (spec.facet) {
        spec.columns = Math.max(2, Math.min(3, Math.floor((width - 30) / 208)));
        spec.spec.width = (width - 30) / spec.columns - 62;
      } else spec.width += width - drawnWidth - 6;
      if (spec.projection) spec.height = spec.width / 2;
      else if (width > 640 && typeof spec.height === "number") spec.height *= 1.4;
      if (chosen) spec.params[0].value = chosen;
      const theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
      const made = await vegaEmbed(place, spec, { actions: false, ast: true, renderer: "svg", tooltip: { theme } });
      // The chart is one picture with words of its own: roles within it would be told without any.
      for (const part of place.querySelectorAll("[role]")) {
        part.removeAttribute("role");
        part.removeAttribute("aria-roledescription");
      }
      const isFirst = !view;
      view = made.view;
      chart.replaceChildren(place);
      if (!isFirst) return;
      if (spec.usermeta?.names) choice(chart, spec.usermeta.names, spec.params[0].value, names => {
        chosen = names;
        view.signal("chosen", names).runAsync();
      });
      const files = chart.closest("section, main").querySelector(".files");
      if (files?.querySelector("[href$='.png']") || !files) return;
      const link = Object.assign(element("button", "PNG"), { type: "button" });
      link.addEventListener("click", async () =>
        Object.assign(element("a"), { href: await picture(view, title), download: `${title}.png` }).click());
      files.append(" ", link);
    };
    return draw;
  };
  const draws = [...document.querySelectorAll(".chart")].map(prepare);
  const drawAll = () => draws.forEach(draw => draw());
  if (draws.length) load(`${root}vega.js`, () => {
    drawAll();
    document.addEventListener("change", drawAll);
    let waiting;
    addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(drawAll, 200); });
  });

  const compared = location.pathname.includes("/compare/") ? document.querySelectorAll(".view") : [];
  for (const view of compared) {
    const rows = [...view.querySelectorAll("tbody tr")];
    const periods = [...new Set(rows.map(row => row.cells[0].textContent))].reverse();
    if (periods.length < 3) continue;
    const picks = ["First", "Second"].map(() =>
      element("select", "", ...["all", ...periods].map(period => new Option(period))));
    const two = element("fieldset", element("legend", "Two periods in the table"),
      element("label", "First ", picks[0]), element("label", "Second ", picks[1]));
    two.className = "switch";
    two.addEventListener("change", () => {
      const chosen = picks.map(pick => pick.value).filter(period => period !== "all");
      for (const row of rows) row.hidden = chosen.length > 0 && !chosen.includes(row.cells[0].textContent);
      view.querySelector(".values").open = true;
    });
    view.querySelector(".values").before(two);
  }

  // A page and its frozen copy are the same file: only a script knows which of the two it is.
  const isFrozen = location.pathname.includes(`/v/${version}/`), versions = document.querySelector(".versions");
  versions.href = `${root}${isFrozen ? ".." : "v"}/index.html`;
  versions.hidden = false;
  if (isFrozen) load(`${root}../../current.js`, () => {
    const newer = document.querySelector(".newer");
    newer.hidden = window.censusCurrent === version;
    newer.querySelector("a").href = `${root}../../index.html`;
  });
})();
