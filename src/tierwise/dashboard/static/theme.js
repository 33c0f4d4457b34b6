// Before anything is drawn, so that a chosen look does not flash.
(() => {
  let chosen = null;
  try { chosen = localStorage.getItem("tierwise-theme"); } catch { /* not allowed here */ }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
