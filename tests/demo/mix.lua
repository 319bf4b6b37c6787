-- SPDX-License-Identifier: Apache-2.0
-- wrk: a shop's requests, three in four of them good. SEED makes the mix repeatable.
local statuses = { 400, 401, 404, 502, 504 } -- 5 % each

local function target(id)
	local paths = {
		{ "GET", "/users/" .. id },
		{ "GET", "/orders/" .. id .. "/items" },
		{ "POST", "/orders" },
		{ "GET", "/search" },
	}
	return paths[math.random(#paths)]
end

function init()
	math.randomseed(tonumber(os.getenv("SEED")) or 1)
end

function request()
	local method, path = unpack(target(math.random(99999)))
	local draw = math.random(20)
	if draw <= #statuses then
		path = path .. "?status=" .. statuses[draw]
	end
	return wrk.format(method, path)
end
