// Says the value of the mark that is pointed at, shows two periods of a comparison alone, and says whether a newer
// version is there. The pages are whole without it.
(() => {
  const said = document.createElement("div");
  said.className = "said";
  said.setAttribute("role", "status");
  said.hidden = true;
  document.body.append(said);
  const nearest = (chart, x, y) => {
    let found = null, least = 900;
    for (const mark of chart.querySelectorAll("[data-said]")) {
      const box = mark.getBoundingClientRect();
      const across = Math.max(box.left - x, 0, x - box.right), down = Math.max(box.top - y, 0, y - box.bottom);
      const far = across * across + down * down;
      if (far < least) [found, least] = [mark, far];
    }
    return found;
  };
  const point = event => {
    const chart = event.target.closest(".chart");
    const mark = chart && nearest(chart, event.clientX, event.clientY);
    said.hidden = !mark;
    if (!mark) return;
    said.textContent = mark.dataset.said;
    const left = Math.min(event.clientX + 12, innerWidth - said.offsetWidth - 8);
    said.style.translate = `${Math.max(8, left)}px ${Math.max(8, event.clientY - said.offsetHeight - 12)}px`;
  };
  document.addEventListener("pointermove", point);
  document.addEventListener("pointerdown", point);
  document.addEventListener("keydown", event => { if (event.key === "Escape") said.hidden = true; });

  const compared = location.pathname.includes("/compare/") ? document.querySelectorAll(".view") : [];
  for (const view of compared) {
    const rows = [...view.querySelectorAll("tbody tr")];
    const periods = [...new Set(rows.map(row => row.cells[0].textContent))].reverse();
    if (periods.length < 3) continue;
    const choice = document.createElement("fieldset");
    choice.className = "switch";
    choice.append(document.createElement("legend"));
    choice.firstChild.textContent = "Two periods in the table";
    const picks = ["First", "Second"].map(name => {
      const label = document.createElement("label"), pick = document.createElement("select");
      pick.append(...["all", ...periods].map(period => new Option(period)));
      label.append(name, pick);
      choice.append(label);
      return pick;
    });
    choice.addEventListener("change", () => {
      const chosen = picks.map(pick => pick.value).filter(period => period !== "all");
      for (const row of rows) row.hidden = chosen.length > 0 && !chosen.includes(row.cells[0].textContent);
      view.querySelector(".values").open = true;
    });
    view.querySelector(".values").before(choice);
  }

  const { root, version } = document.body.dataset;
  const isFrozen = location.pathname.includes(`/v/${version}/`);
  if (isFrozen) {
    const current = document.createElement("script");
    current.src = `${root}../../current.js`;
    current.onload = () => {
      const newer = document.querySelector(".newer");
      newer.hidden = window.censusCurrent === version;
      newer.querySelector("a").href = `${root}../../index.html`;
    };
    document.head.append(current);
  }
})();
