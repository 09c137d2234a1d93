-- Neovim drives `pxelator lsp`: nvim --headless -u NONE -S client.lua, in a folder with the site of tests/lsp.rs.
-- Ends with 0 where everything is as it should be, and says what is not.

local function fail(what, found)
  io.stderr:write("FAILED: " .. what .. "\n" .. vim.inspect(found) .. "\n")
  vim.cmd("cquit 1")
end

local function check(what, holds, found)
  if not holds then fail(what, found) end
end

local function wait(what, test)
  if not vim.wait(20000, test, 20) then fail("waited in vain: " .. what, vim.diagnostic.get(nil)) end
end

local function edit(file)
  vim.cmd("edit " .. file)
  return vim.api.nvim_get_current_buf()
end

local site = edit("site.kdl")
local capabilities = vim.lsp.protocol.make_client_capabilities()
capabilities.textDocument.completion.completionItem.snippetSupport = true -- as people with a snippet plugin say
local client = vim.lsp.start_client({
  name = "pxelator", cmd = { vim.env.PXELATOR, "lsp" }, root_dir = vim.fn.getcwd(), capabilities = capabilities,
})
check("the server starts", client ~= nil, client)
vim.lsp.buf_attach_client(site, client)
local hosts = edit("hosts/office.kdl")
vim.lsp.buf_attach_client(hosts, client)
wait("the client is attached", function() return vim.lsp.buf_is_attached(site, client) end)

-- Puts the cursor behind the first `text` of a buffer, `back` bytes before its end.
local function position(buffer, text, back)
  for number, line in ipairs(vim.api.nvim_buf_get_lines(buffer, 0, -1, false)) do
    local _, last = line:find(text, 1, true)
    if last then return number - 1, last - (back or 0) end
  end
  fail("no such text: " .. text, vim.api.nvim_buf_get_lines(buffer, 0, -1, false))
end

local function ask(buffer, method, text, back, more)
  local line, byte = position(buffer, text, back)
  local whole = vim.api.nvim_buf_get_lines(buffer, line, line + 1, false)[1]
  local column = vim.lsp.util._str_utfindex_enc(whole, byte, vim.lsp.get_client_by_id(client).offset_encoding)
  local params = { textDocument = { uri = vim.uri_from_bufnr(buffer) }, position = { line = line, character = column } }
  local answers = vim.lsp.buf_request_sync(buffer, method, vim.tbl_extend("force", params, more or {}), 20000)
  check(method .. " is answered", answers and answers[client], answers)
  return answers[client]
end

local function replace(buffer, text, with)
  local line = position(buffer, text)
  local old = vim.api.nvim_buf_get_lines(buffer, line, line + 1, false)[1]
  local first, last = old:find(text, 1, true)
  vim.api.nvim_buf_set_lines(buffer, line, line + 1, false, { old:sub(1, first - 1) .. with .. old:sub(last + 1) })
end

-- Findings, as somebody types.
wait("no finding at first", function() return #vim.diagnostic.get(nil) == 0 end)
replace(site, "profile=office", "profile=offise")
wait("the misspelt profile is told", function() return #vim.diagnostic.get(site) == 1 end)
local found = vim.diagnostic.get(site)[1]
check("code", found.code == "host/unknown-profile" and found.severity == vim.diagnostic.severity.ERROR, found)
check("help", found.message:find("did you mean `office`?", 1, true), found)
local _, byte = position(site, "offise")
check("place, behind characters of several bytes", found.end_col == byte, { found, byte })
replace(site, "profile=offise", "profile=office")
wait("the mended line is silent", function() return #vim.diagnostic.get(nil) == 0 end)

-- Hover.
local function hover(buffer, text, back)
  local answer = ask(buffer, "textDocument/hover", text, back)
  check("hover on " .. text, answer.result, answer)
  return answer.result.contents.value
end
check("a node", hover(hosts, "network lan", 5):find("One subnet", 1, true), hover(hosts, "network lan", 5))
local said = hover(site, "profile=office", 8)
check("a property", said:find("name of a profile", 1, true) and said:find("since 0.1", 1, true), said)
said = hover(site, "idle \"10m\"", 8)
check("an option", said:find("Back to the start page", 1, true) and said:find('Default: `"5m"`', 1, true) and said:find('min="30s"', 1, true), said)
said = hover(site, "to=boot", 1)
check("a host", said:find("10.77.0.2 in", 1, true) or said:find("10.77.0.2,", 1, true), said)
said = hover(site, "{img}", 2)
check("a let", said:find('let `img` = `"debian-12"`', 1, true), said)

-- Completion, while the line is half written.
local function labels(buffer, text, back)
  local answer = ask(buffer, "textDocument/completion", text, back)
  check("completion behind " .. text, answer.result, answer)
  local list = {}
  for _, item in ipairs(answer.result.items) do list[item.label] = item end
  return list
end
vim.api.nvim_buf_set_lines(hosts, 1, 1, false, { "    host new \"aa:bb:cc:dd:ee:01\" profile=" })
local list = labels(hosts, "profile=", 0)
check("profiles", list["office"] and list["kiosk"] and list["local"] and not list["boot"], list)
vim.api.nvim_buf_set_lines(hosts, 1, 2, false, { "    host new \"aa:bb:cc:dd:ee:01\" profile=office le" })
list = labels(hosts, " le", 0)
check("properties not yet given", list["lease="] and list["tags="] and not list["profile="], list)
vim.api.nvim_buf_set_lines(hosts, 1, 2, false, { "    ho" })
list = labels(hosts, "    ho", 0)
check("nodes", list["host"] and list["group"] and not list["site"], list)
check("a snippet for a client that knows them", list["host"].insertTextFormat == 2 and list["host"].textEdit.newText:find("${1:", 1, true), list["host"])
vim.api.nvim_buf_set_lines(hosts, 1, 2, false, {})
wait("silent again", function() return #vim.diagnostic.get(nil) == 0 end)
vim.api.nvim_buf_set_lines(site, -1, -1, false, { "assert group:", "use ", "use kiosk { " })
check("groups", labels(site, "assert group:", 0)["desks"], labels(site, "assert group:", 0))
check("modules", labels(site, "use ", 0)["kiosk"], labels(site, "use ", 0))
list = labels(site, "use kiosk { ", 0)
check("options", list["url"] and list["idle"] and list["colour"], list)
vim.api.nvim_buf_set_lines(site, -2, -1, false, { "use kiosk { colour " })
list = labels(site, "colour ", 0)
check("words of an enum", list["dark"] and list["light"] and not list["url"], list)
vim.api.nvim_buf_set_lines(site, -4, -1, false, {})
wait("silent after all", function() return #vim.diagnostic.get(nil) == 0 end)

-- Definition.
local function target(buffer, text, back)
  local answer = ask(buffer, "textDocument/definition", text, back)
  check("definition of " .. text, answer.result and #answer.result == 1, answer)
  local place = answer.result[1]
  return vim.fn.fnamemodify(vim.uri_to_fname(place.uri), ":t") .. ":" .. (place.range.start.line + 1)
end
check("host", target(site, "to=boot", 1) == "office.kdl:2", target(site, "to=boot", 1))
check("profile", target(hosts, "profile=office", 1):find("^site.kdl:"), target(hosts, "profile=office", 1))
check("module", target(site, "use kiosk", 1) == "kiosk.kdl:1", target(site, "use kiosk", 1))
check("option", target(site, "idle \"10m\"", 8) == "kiosk.kdl:3", target(site, "idle \"10m\"", 8))
check("let", target(site, "{img}", 2):find("^site.kdl:"), target(site, "{img}", 2))

-- Rename of a host, in both files.
local answer = ask(site, "textDocument/rename", "to=boot", 1, { newName = "not a name" })
check("no name is refused", answer.error and answer.error.message:find("one label of letters", 1, true), answer)
answer = ask(site, "textDocument/rename", "to=boot", 1, { newName = "printer" })
check("a name that exists is refused", answer.error and answer.error.message:find("exists already", 1, true), answer)
answer = ask(site, "textDocument/rename", "to=seat-01", 1, { newName = "chair" })
check("a name that a repeat makes is refused", answer.error and answer.error.message:find("seat-{n:02}", 1, true), answer)
answer = ask(site, "textDocument/rename", "to=boot", 1, { newName = "3server" })
check("rename", answer.result, answer)
vim.lsp.util.apply_workspace_edit(answer.result, "utf-16")
local text = table.concat(vim.api.nvim_buf_get_lines(site, 0, -1, false), "\n")
check("records follow", text:find('cname ftp to="3server"', 1, true) and text:find("3server.lab.example", 1, true), text)
text = table.concat(vim.api.nvim_buf_get_lines(hosts, 0, -1, false), "\n")
check("the host's own line", text:find('host "3server" 2', 1, true), text)
vim.wait(300, function() return false end)
wait("the renamed site is silent", function() return #vim.diagnostic.get(nil) == 0 end)
vim.cmd("silent wall")
vim.cmd("qall!")
