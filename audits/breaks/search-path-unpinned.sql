-- title: A function loses its pinned search_path
-- stages: unify
-- turns-red: guard-functions
-- subject: select 'adjust_tokens'
alter function public.adjust_tokens(uuid, int, text, uuid, text, text) reset search_path;
