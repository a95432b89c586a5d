-- Stages files in before a Slurm job gets its nodes, and out after it has given them back (BurstBufferType=burst_buffer/lua).
--
--   #BB_LUA godwit stage_in  source=/projects/me/mesh destination=/buffer/me
--   #BB_LUA godwit stage_out source=/buffer/me/result destination=/projects/me
--
-- stage_in copies from the storage node to the buffer node, stage_out back: two lasting daemons, which the site's settings name. The
-- job finds GODWIT_STORAGE, GODWIT_BUFFER and each GODWIT_STAGED_1, _2, ... (where what it staged in lies) in its environment.
--
-- Either this file is burst_buffer.lua beside slurm.conf, or that one loads it and calls what it needs:
--
--   local godwit = dofile("/etc/godwit/slurm/burst_buffer.lua")
--   function slurm_bb_data_in(...) return godwit.data_in(...) end
--
-- Settings: godwit_burst_buffer.conf beside this file; that one is Lua, too. Lua 5.1 to 5.4. The functions run on the controller's
-- host as SlurmUser, several at once, and block; job_process alone is called while slurmctld waits, and so asks nobody. What asks a
-- daemon is run as the job's user, who proves it by MUNGE: files are read and written with that user's rights.

local settings_name = "godwit_burst_buffer.conf"
local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."

-- bin: where `godwit` is ("": in the PATH). state_dir: a directory that SlurmUser alone may write to. allowed: directories that a
-- directive may name, or lie below; %u is the job's user. munge_socket: munged's, "": MUNGE's own. as_user: the words before a command
-- that is to run as user %u (number %U, group %g); nil: root becomes that user, and another SlurmUser works for himself alone.
local settings = setmetatable({}, { __index = { bin = "", allowed = {}, munge_socket = "" } })
local become_user = { "setpriv", "--reuid=%U", "--regid=%g", "--init-groups", "--" }

local function read_settings()
  local chunk, problem = loadfile(here .. "/" .. settings_name)
  if not chunk then return nil, problem end
  local ok, read = pcall(chunk)
  if not ok or type(read) ~= "table" then return nil, settings_name .. " gives no table: " .. tostring(read) end
  for _, key in ipairs({ "storage", "buffer", "state_dir" }) do
    if type(read[key]) ~= "string" then return nil, settings_name .. ": " .. key .. " is missing" end
  end
  if read.as_user ~= nil and type(read.as_user) ~= "table" then return nil, settings_name .. ": as_user is a list of words" end
  for key, value in pairs(read) do settings[key] = value end
  return true
end

local function failure(text)
  slurm.log_error("godwit: %s", text)
  return slurm.ERROR, "godwit: " .. text
end

-- One word of a shell, whatever is in it.
local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

-- Runs a program; its exit status and all that it printed. Arguments are passed as they are.
local function run(...)
  local words = {}
  for _, word in ipairs({ ... }) do words[#words + 1] = quoted(word) end
  local path = (settings.bin == "" and "" or settings.bin .. ":") .. "/usr/bin:/bin"  -- Nothing empty: that would be where we are.
  local pipe, problem = io.popen("export PATH=" .. quoted(path) .. " GODWIT_MUNGE_SOCKET=" .. quoted(settings.munge_socket) .. "; " .. table.concat(words, " ") .. " 2>&1 </dev/null; echo \":$?\"")
  if not pipe then return 127, problem end
  local output = pipe:read("*a")
  pipe:close()
  local text, status = output:match("^(.*):(%d+)\n$")
  return tonumber(status) or 127, text or output
end

-- ---- directives

-- The reason why this is not a path that we take, or nil. Neither ".." nor an empty name: what is allowed is decided by the text.
local function wrong_path(path)
  if not path then return "is missing" end
  if path:sub(1, 1) ~= "/" then return "is not absolute" end
  if path:find("%c") then return "has a control character" end
  if (path .. "/"):find("/%.%.?/") or path:find("//") then return "has '.', '..' or an empty name in it" end
  if path == "/" or path:sub(-1) == "/" then return "ends with '/'" end
end

-- All of a script's, in order: {{verb = "stage_in", source = ..., destination = ...}, ...}; or nil and the first mistake.
local function directives(script)
  local file, problem = io.open(script)
  if not file then return nil, problem end
  local found, mistake = {}, nil
  for line in file:lines() do
    local verb, rest = line:match("^#BB_LUA%s+godwit%s+(%S+)%s*(.-)%s*$")
    if verb and not mistake then
      local one = { verb = verb }
      if verb ~= "stage_in" and verb ~= "stage_out" then mistake = "'" .. verb .. "' is neither stage_in nor stage_out" end
      for word in rest:gmatch("%S+") do
        local key, value = word:match("^([a-z]+)=(.*)$")
        if (key ~= "source" and key ~= "destination") or one[key] then
          mistake = mistake or "'" .. word .. "': it takes source=PATH and destination=DIRECTORY, once"
        else
          one[key] = value
        end
      end
      for _, key in ipairs({ "source", "destination" }) do
        local wrong = wrong_path(one[key])
        if wrong then mistake = mistake or verb .. ": " .. key .. " " .. wrong end
      end
      found[#found + 1] = one
    end
  end
  file:close()
  if mistake then return nil, mistake end
  return found
end

local function is_allowed(path, user)
  for _, pattern in ipairs(settings.allowed) do
    local directory = pattern:gsub("%%u", (user:gsub("%%", "%%%%")))
    if path == directory or path:sub(1, #directory + 1) == directory .. "/" then return true end
  end
  return false
end

-- ---- what is known of a job between two calls: the jobs of the daemons that work for it

local function state_file(job_id) return settings.state_dir .. "/" .. tostring(job_id):match("^%d+$") end

-- What a shell calls as_user, from the job's setup to its end: the other calls are not told whose the job is.
local function user_file(job_id) return state_file(job_id) .. ".user" end

-- Errors: nil and the reason.
local function keep_user(job_id, uid, gid, user)
  local status, mine = run("id", "-u")
  mine = status == 0 and tonumber(mine) or nil
  local words = settings.as_user or (mine == 0 and become_user) or (mine == tonumber(uid) and {})
  if not words then return nil, "SlurmUser cannot act as " .. user .. ": say how by as_user in " .. settings_name end
  local with = { ["%u"] = user, ["%U"] = tostring(uid), ["%g"] = tostring(gid) }
  local text = "as_user() {"
  for _, word in ipairs(words) do text = text .. " " .. quoted((word:gsub("%%.", with))) end
  local file, problem = io.open(user_file(job_id), "w")
  if not file then return nil, problem end
  local written, why = file:write(text, ' "$@"; }\n')
  local closed, why_not_closed = file:close()
  if not (written and closed) then return nil, why or why_not_closed end
  return true
end

-- Slurm kills the scripts of a job that is cancelled, at any moment; with them, in 22.05, the teardown that the cancel has begun. So
-- `script`, for a shell, runs in a session of its own, where it hears by its standard output whether this one is still there. Its $1:
-- the state file. It may call as_user.
local function run_apart(job_id, script, ...)
  local file, problem = io.open(user_file(job_id))
  if not file then return 127, "whose job is it? " .. problem end
  local as_user = file:read("*a")
  file:close()
  return run("setsid", "-w", "sh", "-c", as_user .. script, "godwit", state_file(job_id), ...)
end

-- $2: the node where the migration begins; the rest: the command that begins it. The state file is there while it may run.
local migrate_and_wait = [[
trap '' PIPE
state=$1 node=$2; shift 2
begin() {
  flock 9 && text=$(as_user "$@" 2>&1 9>&-) && echo "$node ${text##*[!0-9a-f]}" >&9
}
begin "$@" 9>>"$state" || { printf '%s\n' "$text"; rm -f "$state"; exit 1; }
id=${text##*[!0-9a-f]}
as_user godwit job wait "$id" --node "$node" --quiet --timeout 3600 & waits=$!
while kill -0 "$waits" 2>/dev/null; do
  printf . 2>/dev/null || as_user godwit job cancel "$id" --node "$node" --connect-timeout 2 2>/dev/null
  sleep 0.2
done
wait "$waits"; status=$?
rm -f "$state"; exit $status]]

local cancel_all = [[
exec 9<"$1" && flock 9
while read -r node id; do
  as_user godwit job cancel "$id" --node "$node" --connect-timeout 2 </dev/null >/dev/null 2>&1
done <"$1"]]

-- Copies what the directives with this verb say, one after the other. Whoever tears the job down can cancel it.
local function stage(job_id, script, verb, from, to)
  local found, mistake = directives(script)
  if not found then return failure(mistake) end
  for _, one in ipairs(found) do
    if one.verb == verb then
      local status, text = run_apart(job_id, migrate_and_wait, from, "godwit", "migrate", "files", one.source, "--from", from,
                                     "--to", to .. ":" .. one.destination, "--update", "--async")
      text = text:gsub("^%.+", "")
      if status ~= 0 then return failure(verb .. " of " .. one.source .. " failed: " .. text) end
    end
  end
  return slurm.SUCCESS, ""
end

-- ---- Slurm's functions; newer releases pass more arguments than these, which are ignored

local hooks = {}

-- At submission: a mistake is told to the user by sbatch, and the job is refused.
function hooks.job_process(script)
  local found, mistake = directives(script)
  if not found then return failure(mistake) end
  return slurm.SUCCESS, ""
end

function hooks.pools() return slurm.SUCCESS end

-- The only one that is told whose the job is.
function hooks.setup(job_id, uid, gid, _, _, script)
  local found, mistake = directives(script)
  if not found then return failure(mistake) end
  if #found == 0 then return slurm.SUCCESS, "" end
  local status, user = run("id", "-un", tostring(uid))
  user = user:match("^(%S+)\n$")
  if status ~= 0 or not user then return failure("who is uid " .. tostring(uid) .. "?") end
  for _, one in ipairs(found) do
    for _, path in ipairs({ one.source, one.destination }) do
      if not is_allowed(path, user) then return failure(path .. " is not below a directory that " .. user .. " may stage") end
    end
  end
  local kept, problem = keep_user(job_id, uid, gid, user)
  if not kept then return failure(problem) end
  return slurm.SUCCESS, ""
end

function hooks.data_in(job_id, script) return stage(job_id, script, "stage_in", settings.storage, settings.buffer) end
function hooks.test_data_in() return slurm.SUCCESS, "" end
function hooks.real_size() return slurm.SUCCESS, "0" end

-- Lines VAR=value become the job's environment.
function hooks.paths(_, script, path_file)
  local found, mistake = directives(script)
  if not found then return failure(mistake) end
  local file, problem = io.open(path_file, "w")
  if not file then return failure(problem) end
  file:write("GODWIT_STORAGE=", settings.storage, "\nGODWIT_BUFFER=", settings.buffer, "\n")
  local count = 0
  for _, one in ipairs(found) do
    if one.verb == "stage_in" then
      count = count + 1
      file:write("GODWIT_STAGED_", count, "=", one.destination, "/", one.source:match("[^/]+$"), "\n")
    end
  end
  file:close()
  return slurm.SUCCESS, ""
end

function hooks.pre_run() return slurm.SUCCESS, "" end
function hooks.post_run() return slurm.SUCCESS, "" end
function hooks.data_out(job_id, script) return stage(job_id, script, "stage_out", settings.buffer, settings.storage) end
function hooks.test_data_out() return slurm.SUCCESS, "" end

-- Also when the job was cancelled, in a hurry or not: what still moves for it stops, with the source intact.
function hooks.job_teardown(job_id)
  local file = io.open(state_file(job_id))
  if file then
    file:close()
    run_apart(job_id, cancel_all)
  end
  os.remove(user_file(job_id))
  return slurm.SUCCESS, ""
end

-- scontrol show bbstat
function hooks.get_status()
  return slurm.SUCCESS, "godwit: storage " .. tostring(settings.storage) .. ", buffer " .. tostring(settings.buffer) .. "\n"
end

local ok, problem = read_settings()
if not ok then
  slurm.log_error("godwit: %s", problem)
  for _, name in ipairs({ "job_process", "setup", "data_in", "data_out", "paths" }) do
    hooks[name] = function() return failure(problem) end
  end
end
for name, hook in pairs(hooks) do
  if _G["slurm_bb_" .. name] == nil then _G["slurm_bb_" .. name] = hook end
end
return hooks
